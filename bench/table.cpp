#include "table.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace kommander::bench {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void PrintTable(const Table& table, std::ostream& out) {
  for (const auto& [name, value] : table) {
    out << std::left << std::setw(34) << name << value << '\n';
  }
  out << std::flush;
}

void WriteJson(const Table& table, const std::string& file) {
  std::ofstream out(file);
  out << "{\n";
  for (std::size_t i = 0; i < table.size(); ++i) {
    out << "  \"" << table[i].first << "\": " << table[i].second
        << (i + 1 < table.size() ? ",\n" : "\n");
  }
  out << "}\n" << std::flush;
  if (!out) throw std::runtime_error("cannot write " + file);
}

}  // namespace kommander::bench
