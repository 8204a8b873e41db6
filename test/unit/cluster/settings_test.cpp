// The settings of the cluster against a naive model, their bounds, and their bytes.
#include "cluster/settings.hpp"

#include <map>
#include <random>
#include <utility>

#include "catch.hpp"

namespace kommander::cluster {
namespace {

using Outcome = Settings::Outcome;

// Outcomes and order as the contract says them, on a map.
struct Model {
  Outcome Set(const std::string& name, const std::string& value, LogIndex version,
              std::optional<LogIndex> expected) {
    if (expected && *expected != VersionOf(name)) return Outcome::kAnotherVersion;
    if (!all.count(name) && all.size() == kClusterSettingsMax) return Outcome::kTooMany;
    all[name] = {version, value};
    return Outcome::kChanged;
  }
  Outcome Remove(const std::string& name, std::optional<LogIndex> expected) {
    if (expected && *expected != VersionOf(name)) return Outcome::kAnotherVersion;
    return all.erase(name) == 0 ? Outcome::kUnchanged : Outcome::kChanged;
  }
  [[nodiscard]] LogIndex VersionOf(const std::string& name) const {
    const auto found = all.find(name);
    return found == all.end() ? LogIndex() : found->second.first;
  }
  std::map<std::string, std::pair<LogIndex, std::string>> all;
};

bool IsSame(const Settings& settings, const Model& model) {
  std::vector<ClusterSetting> expected;
  for (const auto& [name, held] : model.all) expected.emplace_back(name, held.first, held.second);
  return settings.all() == expected;
}

TEST_CASE("settings do what a map does, within their bound") {
  std::mt19937 random(11);
  bool was_full = false;
  for (int run = 0; run < 20; ++run) {
    Settings settings;
    Model model;
    for (std::uint64_t step = 1; step <= 2'000; ++step) {
      const std::string name = "name-" + std::to_string(random() % 300);
      std::optional<LogIndex> expected;
      if (random() % 4 == 0) expected = model.VersionOf(name);
      if (random() % 8 == 0) expected = LogIndex(random() % (step + 1));
      if (random() % 8 == 0) {
        REQUIRE(settings.Remove(name, expected) == model.Remove(name, expected));
      } else {
        const std::string value(random() % 8, 'v');
        const Outcome outcome = model.Set(name, value, LogIndex(step), expected);
        REQUIRE(settings.Set(name, AsBytes(value), LogIndex(step), expected) == outcome);
        was_full = was_full || outcome == Outcome::kTooMany;
      }
    }
    REQUIRE(IsSame(settings, model));
    REQUIRE(Settings::Restore(settings.Serialize().bytes()) == settings);
    const ClusterSettings published(settings.all());
    for (int number = 0; number < 300; ++number) {
      const std::string name = "name-" + std::to_string(number);
      const ClusterSetting* found = published.Find(name);
      REQUIRE((found == nullptr ? LogIndex() : found->version) == model.VersionOf(name));
    }
  }
  CHECK(was_full);
}

TEST_CASE("a name is short, of few kinds of bytes, and not the library's own") {
  CHECK(IsClusterSettingName("a"));
  CHECK(IsClusterSettingName("limits/rate-max_2.x"));
  CHECK(IsClusterSettingName("/AZaz09"));
  CHECK(IsClusterSettingName(std::string(128, 'n')));
  for (const char* wrong : {"", "a b", "a=b", "a:b", "\xc3\xa4", "a\n"}) {
    CHECK_FALSE(IsClusterSettingName(wrong));
    CHECK_FALSE(IsSettingName(wrong));
  }
  CHECK_FALSE(IsClusterSettingName(std::string_view("a\0b", 3)));
  CHECK_FALSE(IsClusterSettingName(std::string(129, 'n')));
  CHECK_FALSE(IsClusterSettingName("_a"));
  CHECK(IsSettingName("_a"));
}

TEST_CASE("a value does not keep the bytes that it came from") {
  std::string bytes = "value";
  Settings settings;
  REQUIRE(settings.Set("a", AsBytes(bytes), LogIndex(1), {}) == Outcome::kChanged);
  bytes = "other";
  CHECK(settings.all().front().value == Payload("value"));
}

Settings Two() {
  Settings settings;
  REQUIRE(settings.Set("a", AsBytes("1"), LogIndex(1), {}) == Outcome::kChanged);
  REQUIRE(settings.Set("b", AsBytes("2"), LogIndex(2), {}) == Outcome::kChanged);
  return settings;
}

TEST_CASE("bytes that are not settings are refused") {
  const std::string right(Two().Serialize().text());
  REQUIRE(Settings::Restore(AsBytes(right)) == Two());
  std::string wrong = right;
  SECTION("too many") { wrong[1] = 2; }
  SECTION("one more than there are") { wrong[0] = 3; }
  SECTION("one fewer") { wrong[0] = 1; }
  SECTION("a version of no entry") { wrong[4] = 0; }
  SECTION("a name twice") { wrong[15] = 'b'; }
  SECTION("names that descend") { wrong[15] = 'c'; }
  SECTION("another name") { wrong[15] = ' '; }
  SECTION("no name") { wrong[12] = 0; }
  SECTION("nothing") { wrong.clear(); }
  CHECK_FALSE(Settings::Restore(AsBytes(wrong)));
  Settings long_value;
  const std::string value(kClusterSettingValueBytesMax + 1, 'v');
  REQUIRE(long_value.Set("a", AsBytes(value), LogIndex(1), {}) == Outcome::kChanged);
  CHECK_FALSE(Settings::Restore(long_value.Serialize().bytes()));
}

}  // namespace
}  // namespace kommander::cluster
