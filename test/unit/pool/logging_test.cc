#include "pool/logging.h"

#include <gtest/gtest.h>

namespace pgtend::pool {
namespace {

TEST(LogName, NamesConnectionsAsPgBouncerDoes) {
  const auto v4 = net::Address::ip("10.0.0.1", 5432).take();
  EXPECT_EQ(text_of({.kind = 'S', .id = 26, .database = "db", .user = "ann", .peer = v4}),
            "S-0x1a: db/ann@10.0.0.1:5432 ");
  const auto v6 = net::Address::ip("::1", 5432).take();
  EXPECT_EQ(text_of({.kind = 'C', .id = 1, .database = "", .user = "", .peer = v6}),
            "C-0x1: (nodb)/(nouser)@[::1]:5432 ");
  EXPECT_EQ(text_of({.kind = 'S', .id = 1, .database = "db", .user = "ann", .peer = {}}),
            "S-0x1: db/ann@(nohost) ");
  EXPECT_EQ(text_of({.kind = 'S', .id = 26, .peer = v4, .peer_id = 2}),
            "S-0x1a: peer-2@10.0.0.1:5432 ");
  const auto local = net::Address::unix_path("/tmp/.s.PGSQL.6432").take();
  const LogName name{.kind = 'C',
                     .id = 255,
                     .database = "db",
                     .user = "ann",
                     .peer = local,
                     .pid = 77,
                     .port = 6432};
  EXPECT_EQ(text_of(name), "C-0xff: db/ann@unix(77):6432 ");
}

}  // namespace
}  // namespace pgtend::pool
