#include "demo/generator_order.h"

#include <algorithm>

namespace pgtend::demo {

RowOrder::RowOrder(const Model& model, WriteOrder order, bool corrections)
    : model_(model),
      order_(order),
      corrections_(corrections),
      meters_(model.population().meters()),
      slots_(model.slots()),
      places_(meters_ * slots_) {
  chunk_places_ = kChunkRows;
  if (order_ == WriteOrder::File) {
    chunk_places_ = std::max<int64_t>(kChunkRows / slots_, 1) * slots_;
  } else {
    find_late();
  }
  chunks_ = (places_ + chunk_places_ - 1) / chunk_places_;
}

// Adds the reading if it arrives in its own slot.
void RowOrder::in_turn(int32_t meter, int32_t slot, std::vector<Place>& places) const {
  if (model_.arrival(meter, slot) != slot) return;
  const bool again = corrections_ && model_.read_again(meter, slot);
  places.push_back({meter, slot, again ? Version::Superseded : Version::Only});
}

// Calls take(arrival, place) for what in_turn() leaves out: late readings and corrections.
template <class Take>
void RowOrder::each_out_of_turn(int32_t meter, int32_t slot, const Take& take) const {
  const bool again = corrections_ && model_.read_again(meter, slot);
  const int arrival = model_.arrival(meter, slot);
  if (arrival != slot) {
    take(arrival, Place{meter, slot, again ? Version::Superseded : Version::Only});
  }
  if (again) take(model_.corrected_at(meter, slot), Place{meter, slot, Version::Corrected});
}

// Counts what arrives in each slot out of turn, then files it: a counting sort.
void RowOrder::find_late() {
  late_begin_.assign(static_cast<size_t>(slots_) + 1, 0);
  const auto each = [this](const auto& take) {
    for (int32_t slot = 0; slot < slots_; ++slot) {
      for (int32_t meter = 0; meter < meters_; ++meter) each_out_of_turn(meter, slot, take);
    }
  };
  each([this](int arrival, const Place&) { ++late_begin_[static_cast<size_t>(arrival) + 1]; });
  for (size_t i = 1; i < late_begin_.size(); ++i) late_begin_[i] += late_begin_[i - 1];
  late_.resize(static_cast<size_t>(late_begin_.back()));
  std::vector<int64_t> next(late_begin_.begin(), late_begin_.end() - 1);
  each([this, &next](int arrival, const Place& place) {
    late_[static_cast<size_t>(next[static_cast<size_t>(arrival)]++)] = place;
  });
}

void RowOrder::fill(int64_t chunk, std::vector<Place>& places) const {
  places.clear();
  const int64_t from = chunk * chunk_places_;
  const int64_t to = std::min(from + chunk_places_, places_);
  if (order_ == WriteOrder::Headend) return fill_headend(from, to, places);
  for (int64_t meter = from / slots_; meter < to / slots_; ++meter) {
    fill_meter(static_cast<int>(meter), places);
  }
}

void RowOrder::fill_headend(int64_t from, int64_t to, std::vector<Place>& places) const {
  auto slot = static_cast<int32_t>(from / meters_);
  auto meter = static_cast<int32_t>(from % meters_);
  for (int64_t i = from; i < to; ++i) {
    in_turn(meter, slot, places);
    if (++meter < meters_) continue;
    // The slot is complete: what arrives in it out of turn comes behind.
    const auto first = late_.begin() + late_begin_[static_cast<size_t>(slot)];
    const auto last = late_.begin() + late_begin_[static_cast<size_t>(slot) + 1];
    places.insert(places.end(), first, last);
    meter = 0;
    ++slot;
  }
}

void RowOrder::fill_meter(int meter, std::vector<Place>& places) const {
  struct Arrival {
    int arrival;
    Place place;
  };
  std::vector<Arrival> late;
  for (int32_t slot = 0; slot < slots_; ++slot) {
    each_out_of_turn(meter, slot, [&late](int arrival, const Place& place) {
      late.push_back({arrival, place});
    });
  }
  std::ranges::stable_sort(late, {}, &Arrival::arrival);
  auto next = late.begin();
  for (int32_t slot = 0; slot < slots_; ++slot) {
    in_turn(meter, slot, places);
    for (; next != late.end() && next->arrival == slot; ++next) places.push_back(next->place);
  }
}

int64_t RowOrder::reading_id(const Place& place) const {
  const int64_t number = order_ == WriteOrder::Headend
                             ? int64_t{place.slot} * meters_ + place.meter + 1
                             : int64_t{place.meter} * slots_ + place.slot + 1;
  return place.version == Version::Superseded ? places_ + number : number;
}

}  // namespace pgtend::demo
