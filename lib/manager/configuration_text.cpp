#include "manager/configuration_text.hpp"

#include <algorithm>
#include <set>

namespace kommander {
namespace {

using Json = nlohmann::json;

// Follows the parser: where it is, and which keys it has met there.
class Watch {
 public:
  explicit Watch(Problems& problems) : problems_(problems) {}

  // False: too deep.
  bool Step(Json::parse_event_t event, const Json& value) {
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        if (frames_.size() == kConfigurationDepthMax) return false;
        frames_.emplace_back().is_list = event == Json::parse_event_t::array_start;
        return true;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end: frames_.pop_back(); break;
      case Json::parse_event_t::key: return MeetKey(value.get_ref<const std::string&>());
      case Json::parse_event_t::value: break;
    }
    if (!frames_.empty() && frames_.back().is_list) ++frames_.back().index;
    return true;
  }

  [[nodiscard]] std::string pointer() const {
    std::string pointer;
    for (const Frame& frame : frames_) {
      pointer = PointerTo(pointer, frame.is_list ? std::to_string(frame.index) : frame.key);
    }
    return pointer;
  }

 private:
  struct Frame {
    bool is_list = false;
    std::size_t index = 0;
    std::string key;
    std::set<std::string> keys;
  };

  bool MeetKey(const std::string& key) {
    frames_.back().key = key;
    if (!frames_.back().keys.insert(key).second)
      problems_.emplace_back(pointer(), "is there twice");
    return true;
  }

  Problems& problems_;
  std::vector<Frame> frames_;
};

struct TooDeep {};

// "line 2, column 7", both from 1; the column counts bytes.
std::string PlaceOf(std::size_t position, std::string_view text) {
  const std::string_view before = text.substr(0, std::min(position, text.size()));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t line_begin = before.rfind('\n') + 1;  // 0 when there is none
  return "line " + std::to_string(line) + ", column " +
         std::to_string(before.size() - line_begin + 1);
}

}  // namespace

std::string PointerTo(const std::string& parent, std::string_view key) {
  return (Json::json_pointer(parent) / std::string(key)).to_string();
}

std::optional<Json> ParseConfigurationText(std::string_view text, Problems& problems) {
  if (text.size() > kConfigurationTextBytesMax) {
    problems.emplace_back("", "has " + std::to_string(text.size()) + " bytes, must be at most " +
                                  std::to_string(kConfigurationTextBytesMax));
    return std::nullopt;
  }
  Watch watch(problems);
  try {
    return Json::parse(text, [&](int, Json::parse_event_t event, const Json& value) {
      if (!watch.Step(event, value)) throw TooDeep();
      return true;
    });
  } catch (const TooDeep&) {
    problems.emplace_back(watch.pointer(), "is nested deeper than " +
                                               std::to_string(kConfigurationDepthMax) + " levels");
  } catch (const Json::parse_error& error) {
    // The parser counts the bytes that it has read, the offending one included.
    const std::size_t position = error.byte == 0 ? 0 : error.byte - 1;
    problems.emplace_back("", "is not JSON: " + PlaceOf(position, text));
  } catch (const Json::out_of_range&) {
    problems.emplace_back(watch.pointer(), "is a number beyond all bounds");
  }
  return std::nullopt;
}

}  // namespace kommander
