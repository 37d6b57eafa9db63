#include "util/nearest.h"

#include <algorithm>
#include <vector>

namespace qfw {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Optimal string alignment distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1])) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view asked, std::span<const std::string> known) {
  const std::string* best = nullptr;
  std::size_t least = 0;
  for (const std::string& name : known) {
    const std::size_t edits = distance(asked, name);
    if (edits > std::max<std::size_t>(2, std::max(asked.size(), name.size()) / 3)) continue;
    if (edits >= std::max(asked.size(), name.size())) continue;  // nothing in common
    if (best == nullptr || edits < least) {
      best = &name;
      least = edits;
    }
  }
  return best == nullptr ? std::string() : *best;
}

std::string did_you_mean(std::string_view asked, std::span<const std::string> known) {
  const std::string name = nearest(asked, known);
  return name.empty() ? name : "did you mean " + name + "?";
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace qfw
