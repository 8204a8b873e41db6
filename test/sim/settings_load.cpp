#include "settings_load.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include <boost/asio/bind_executor.hpp>

namespace kommander::sim {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kNames = 6;
constexpr Duration kPauseMax = 600ms;

// 0: none; a member that lies can say anything.
std::uint64_t NumberOf(std::string_view text) noexcept {
  std::uint64_t number = 0;
  (void)std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

SettingsLoad::SettingsLoad(World& world, Checker& checker,
                           std::vector<std::unique_ptr<SimNode>>& nodes)
    : world_(world),
      checker_(checker),
      nodes_(nodes),
      chance_(world.Fork(0x736574)),
      process_(world, "settings") {}

void SettingsLoad::Begin(Instant end) {
  for (Instant at = world_.Now(); at < end; at += chance_.Between(1ms, kPauseMax)) {
    world_.PushAt(process_.record(), at, [this] { Call(); });
  }
}

// One in two knows what it changes, and of these some have it from a node that is behind.
void SettingsLoad::Call() {
  for (const auto& node : nodes_) Look(*node);
  SimNode& node = *nodes_[chance_.Below(nodes_.size())];
  if (!node.IsUp()) return;
  const std::uint64_t id = changes_.size() + 1;
  Change& change = changes_[id];
  change.name = "setting-" + std::to_string(chance_.Below(kNames));
  change.removes = chance_.OneIn(6);
  if (chance_.OneIn(2)) {
    const SimNode& read = *nodes_[chance_.Below(nodes_.size())];
    std::optional<ClusterSetting> held;
    if (read.IsUp()) held = read.raft()->GetClusterSetting(change.name);
    change.expected = held ? held->version : LogIndex();
  }
  auto options = ReplicateOptions().Forward(!chance_.OneIn(4)).Timeout(chance_.Between(50ms, 3s));
  if (change.expected) options.ExpectedVersion(*change.expected);
  auto token = asio::bind_executor(
      process_.get_executor(),
      [this, id](error_code error, const ReplicateResult& result) { Finish(id, error, result); });
  if (change.removes) {
    node.raft()->RemoveClusterSetting(change.name, options, std::move(token));
  } else {
    node.raft()->SetClusterSetting(change.name, std::to_string(id), options, std::move(token));
  }
}

void SettingsLoad::Finish(std::uint64_t id, error_code error, const ReplicateResult& result) {
  Change& change = changes_[id];
  if (change.answer) return Violate(id, "is answered again");
  change.answer = error;
  if (error == RaftErrc::TooManySettings) Violate(id, "is one too many of six");
  if (error == RaftErrc::SettingChanged && !change.expected) Violate(id, "expected no version");
  if (error && change.version && !IsOutcomeUnknown(error)) {
    Violate(id, "has taken effect and ends as: " + error.message());
  }
  if (error) return;
  NotePlace(id, change, result.index);
  if (change.expected && *change.expected) {
    const bool is_first = succeeded_.emplace(change.name, *change.expected).second;
    if (!is_first) Violate(id, "expected a version that another one has changed");
  }
}

void SettingsLoad::Look(const SimNode& node) {
  if (!node.IsUp()) return;
  const ClusterSettings settings = node.raft()->GetClusterSettings();
  for (const ClusterSetting& setting : settings.settings()) {
    const std::uint64_t id = NumberOf(setting.value.text());
    const auto found = changes_.find(id);
    if (found == changes_.end() || found->second.name != setting.name) {
      Violate(id, "is shown as the value of another name");
      continue;
    }
    Change& change = found->second;
    NotePlace(id, change, setting.version);
    const bool is_refused = change.answer && *change.answer && !IsOutcomeUnknown(*change.answer);
    if (is_refused) Violate(id, "was refused and has taken effect");
  }
}

void SettingsLoad::NotePlace(std::uint64_t id, Change& change, LogIndex version) {
  if (change.version == version) return;
  if (change.version) Violate(id, "has taken effect at two places");
  change.version = version;
  const auto [place, is_new] = places_.try_emplace(version, id);
  if (!is_new) Violate(id, "is where " + std::to_string(place->second) + " is");
}

bool SettingsLoad::AreEqual() const {
  const ClusterSettings first = nodes_.front()->raft()->GetClusterSettings();
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [&](const auto& node) { return node->raft()->GetClusterSettings() == first; });
}

void SettingsLoad::Conclude() {
  for (const auto& node : nodes_) Look(*node);
  const ClusterSettings settings = nodes_.front()->raft()->GetClusterSettings();
  for (const auto& [id, change] : changes_) {
    if (!change.answer || *change.answer || change.removes) continue;
    const ClusterSetting* held = settings.Find(change.name);
    if (held != nullptr && held->version >= change.version) continue;
    // Nobody else may have taken it away: answers of removals can be missing, their effect not.
    const bool may_be_removed =
        held == nullptr &&
        std::any_of(changes_.begin(), changes_.end(), [&name = change.name](const auto& other) {
          const Change& removal = other.second;
          const bool has_effect =
              !removal.answer || !*removal.answer || IsOutcomeUnknown(*removal.answer);
          return removal.removes && removal.name == name && has_effect;
        });
    if (!may_be_removed) Violate(id, "was acknowledged and is lost");
  }
}

void SettingsLoad::Violate(std::uint64_t id, const std::string& what) {
  checker_.Report("settings", "change " + std::to_string(id) + " " + what);
}

}  // namespace kommander::sim
