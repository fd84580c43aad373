#include "pool/expectations.h"

#include <gtest/gtest.h>

#include <string_view>

namespace pgtend::pool {
namespace {

void send(Expectations& queue, std::string_view types, Route route = Route::Forward) {
  for (const char type : types) queue.sent(type, route);
}

void receive(Expectations& queue, std::string_view types) {
  for (const char type : types) queue.received(type);
}

TEST(Expectations, SimpleQueryIsSettledByItsReady) {
  Expectations queue;
  send(queue, "Q");
  EXPECT_FALSE(queue.settled());

  receive(queue, "TDDC");
  EXPECT_FALSE(queue.settled());
  receive(queue, "Z");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, SeveralStatementsInOneQueryEndWithOneReady) {
  Expectations queue;
  send(queue, "Q");

  receive(queue, "CTDCGCHdcCIZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, PipelineIsSettledByItsLastReadyOnly) {
  Expectations queue;
  send(queue, "PBDESBDESQ");

  receive(queue, "12TDCZ");
  EXPECT_FALSE(queue.settled());
  receive(queue, "2TDCZ");
  EXPECT_FALSE(queue.settled());
  receive(queue, "TDCZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, FlushWithoutSyncKeepsTheLink) {
  Expectations queue;
  send(queue, "PDH");

  receive(queue, "1tT");

  EXPECT_EQ(queue.outstanding(), 0u);
  EXPECT_TRUE(queue.needs_sync());
  EXPECT_FALSE(queue.settled());
  send(queue, "S");
  receive(queue, "Z");
  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, ErrorSkipsToTheNextSync) {
  Expectations queue;
  send(queue, "PBESPBES");

  receive(queue, "1E");
  receive(queue, "Z");
  EXPECT_FALSE(queue.settled());
  receive(queue, "12CZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, ErrorSkipsRequestsThatAreStillToCome) {
  Expectations queue;
  send(queue, "PB");
  receive(queue, "E");

  send(queue, "DEQPB");
  EXPECT_EQ(queue.outstanding(), 0u);
  EXPECT_FALSE(queue.settled());
  send(queue, "S");
  receive(queue, "Z");

  EXPECT_TRUE(queue.settled());
  EXPECT_FALSE(queue.lost());
}

TEST(Expectations, ErrorInAQueryDoesNotSkipWhatFollows) {
  Expectations queue;
  send(queue, "QQ");

  receive(queue, "EZ");
  EXPECT_FALSE(queue.settled());
  receive(queue, "CZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, SyncDuringCopyInIsIgnored) {
  Expectations queue;
  send(queue, "PBDES");
  receive(queue, "12nG");
  EXPECT_TRUE(queue.in_copy_in());

  send(queue, "ddScS");
  EXPECT_FALSE(queue.in_copy_in());
  receive(queue, "CZ");

  EXPECT_TRUE(queue.settled());
  EXPECT_FALSE(queue.lost());
}

TEST(Expectations, CopyDoneSentBeforeTheServerAsksEndsTheCopy) {
  Expectations queue;
  send(queue, "Qddc");

  receive(queue, "G");
  EXPECT_FALSE(queue.in_copy_in());
  receive(queue, "CZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, CopyDataAfterAFailedCopyExpectsNothing) {
  Expectations queue;
  send(queue, "Q");
  receive(queue, "G");
  send(queue, "d");
  receive(queue, "EZ");
  EXPECT_TRUE(queue.settled());

  send(queue, "ddc");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, FailedCopyInAPipelineStaysInStep) {
  Expectations queue;
  send(queue, "PBES");
  receive(queue, "12G");

  send(queue, "ddcS");
  receive(queue, "EZ");

  EXPECT_TRUE(queue.settled());
  EXPECT_FALSE(queue.lost());
}

TEST(Expectations, AnswersGoWhereTheirRequestCameFrom) {
  Expectations queue;
  send(queue, "Q", Route::Swallow);
  send(queue, "Q");

  EXPECT_EQ(queue.received('C'), Route::Swallow);
  EXPECT_EQ(queue.received('S'), Route::Swallow);
  EXPECT_EQ(queue.received('Z'), Route::Swallow);
  EXPECT_EQ(queue.received('T'), Route::Forward);
  EXPECT_EQ(queue.received('Z'), Route::Forward);
}

TEST(Expectations, ReadyThatNobodyAskedForIsNoticed) {
  Expectations queue;

  queue.received('Z');

  EXPECT_TRUE(queue.lost());
  EXPECT_FALSE(queue.settled());
}

TEST(Expectations, DeepPipelineKeepsItsOrder) {
  Expectations queue;
  for (int i = 0; i < 10'000; ++i) send(queue, "BES", i % 2 == 0 ? Route::Forward : Route::Swallow);

  for (int i = 0; i < 10'000; ++i) {
    EXPECT_EQ(queue.received('2'), i % 2 == 0 ? Route::Forward : Route::Swallow);
    receive(queue, "CZ");
  }

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, FunctionCallEndsWithItsReady) {
  Expectations queue;
  send(queue, "F");

  receive(queue, "VZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, SwallowAllSilencesWhatIsOutstanding) {
  Expectations queue;
  send(queue, "QQ");

  queue.swallow_all();

  EXPECT_EQ(queue.received('C'), Route::Swallow);
  queue.received('Z');
  EXPECT_EQ(queue.received('C'), Route::Swallow);
}

TEST(Expectations, SyncAmidTheDataOfAFailedCopyMakesTheCountUnknown) {
  Expectations running;
  send(running, "Q");
  receive(running, "G");
  send(running, "dS");
  EXPECT_FALSE(running.lost());
  receive(running, "E");
  EXPECT_TRUE(running.lost());

  Expectations ahead;
  send(ahead, "PBEddS");
  receive(ahead, "12G");
  EXPECT_FALSE(ahead.lost());
  receive(ahead, "E");
  EXPECT_TRUE(ahead.lost());
}

TEST(Expectations, SyncAheadOfCopyDataIsIgnoredByTheServer) {
  Expectations queue;
  send(queue, "PBESddcS");

  receive(queue, "12GCZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, SyncIgnoredByACopyIsStillOwed) {
  Expectations queue;
  send(queue, "PBES");
  receive(queue, "12G");
  send(queue, "dc");

  receive(queue, "C");
  EXPECT_FALSE(queue.settled());
  send(queue, "S");
  receive(queue, "Z");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, RequestBehindAFailedCopyIsStillAwaited) {
  Expectations queue;
  send(queue, "Q");
  receive(queue, "G");
  send(queue, "dQ");

  receive(queue, "EZ");
  EXPECT_FALSE(queue.settled());
  receive(queue, "TDCZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, RefusedUnnamedParseIsTold) {
  Expectations queue;
  send(queue, "P");
  EXPECT_TRUE(queue.mark_unnamed_parse());
  send(queue, "DS");
  queue.received('E');
  EXPECT_TRUE(queue.unnamed_parse_failed());
  receive(queue, "Z");
  EXPECT_FALSE(queue.unnamed_parse_failed());
}

TEST(Expectations, UnnamedParseBehindAnErrorIsStillToCome) {
  Expectations queue;
  send(queue, "P");
  queue.mark_unnamed_parse();
  send(queue, "SP");
  queue.mark_unnamed_parse();
  send(queue, "S");

  queue.received('E');

  EXPECT_FALSE(queue.unnamed_parse_failed());
}

TEST(Expectations, SkippedParseIsNotMarked) {
  Expectations queue;
  send(queue, "P");
  queue.received('E');
  send(queue, "P");

  EXPECT_FALSE(queue.mark_unnamed_parse());
}

TEST(Expectations, FakedAnswerIsDueWhenItsTurnComes) {
  Expectations queue;
  send(queue, "PB");
  queue.sent('P', Route::Fake, {0, 7});
  send(queue, "ES");
  StatementTag tag;
  EXPECT_EQ(queue.take_fake(tag), 0);
  queue.received('1');
  queue.received('2');

  EXPECT_EQ(queue.take_fake(tag), 'P');
  EXPECT_EQ(tag.serial, 7u);
  receive(queue, "CZ");

  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, ErrorNamesTheStatementsItSkipped) {
  Expectations queue;
  queue.sent('P', Route::Swallow, {11, 0});
  queue.sent('B', Route::Forward, {11, 0});
  queue.sent('P', Route::Fake, {0, 5});
  queue.sent('C', Route::Fake, {0, 6});
  send(queue, "S");

  EXPECT_EQ(queue.front().tag.statement, 11u);
  EXPECT_EQ(queue.received('E'), Route::Forward);

  const auto skipped = queue.take_skipped();
  ASSERT_EQ(skipped.size(), 3u);
  EXPECT_EQ(skipped[0].tag.statement, 11u);
  EXPECT_EQ(skipped[1].tag.serial, 5u);
  EXPECT_TRUE(skipped[2].is_close);
  receive(queue, "Z");
  EXPECT_TRUE(queue.settled());
}

TEST(Expectations, NobodyIsLeftForFakedAnswersWhenTheClientIsGone) {
  Expectations queue;
  send(queue, "B");
  queue.sent('P', Route::Fake, {0, 5});
  send(queue, "S");

  queue.swallow_all();

  EXPECT_EQ(queue.outstanding(), 2u);
  EXPECT_EQ(queue.received('2'), Route::Swallow);
}

}  // namespace
}  // namespace pgtend::pool
