#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>

/// mutate FILE SEED: damages a file in place, in one of the ways in which files do get damaged, or as somebody hostile would;
/// says which.
namespace {

class Mutation {
 public:
  Mutation(std::string bytes, std::uint64_t seed) : bytes_(std::move(bytes)), random_(seed) {}

  std::string apply() {
    switch (below(7)) {
      case 0:
        for (std::size_t i = 0, flips = 1 + below(4); i < flips; ++i)
          bytes_[below(bytes_.size())] ^= static_cast<char>(1 << below(8));
        return "bits flipped";
      case 1: {
        const std::size_t at = below(bytes_.size());
        bytes_.replace(at, length_from(at), std::string(length_from(at), '\0'));
        return "a block of zeros";
      }
      case 2:
        bytes_.resize(below(bytes_.size()));
        return "cut";
      case 3:
        bytes_.append(1 + below(4096), static_cast<char>(below(256)));
        return "grown";
      case 4: {
        const std::size_t from = below(bytes_.size()), to = below(bytes_.size()),
                          length = std::min(length_from(from), length_from(to));
        bytes_.replace(to, length, bytes_.substr(from, length));
        return "a block moved";
      }
      case 5: {
        const std::size_t at = below(bytes_.size());
        bytes_.insert(at, bytes_.substr(below(bytes_.size()), 1 + below(64)));
        return "bytes put in";
      }
      default: {
        static constexpr std::int64_t numbers[] = {-1,     0,          1,          0x7f,      0xff,     0x7fff,
                                                   0xffff, 0x7fffffff, 0xffffffff, INT64_MAX, INT64_MIN};
        const std::int64_t number = numbers[below(std::size(numbers))];
        const std::size_t width = std::min<std::size_t>(std::size_t{1} << below(4), bytes_.size());
        bytes_.replace(below(bytes_.size() - width + 1), width, std::string(reinterpret_cast<const char*>(&number), width));
        return "a number replaced";
      }
    }
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::size_t below(std::size_t end) { return end == 0 ? 0 : static_cast<std::size_t>(random_() % end); }
  std::size_t length_from(std::size_t at) { return std::min<std::size_t>(bytes_.size() - at, 1 + at % 512); }

  std::string bytes_;
  std::mt19937_64 random_;
};

}  // namespace

int main(int count, char** words) {
  if (count != 3) return std::cerr << "usage: mutate FILE SEED\n", 2;
  const std::filesystem::path path = words[1];
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in || bytes.empty()) return std::cerr << "cannot read " << path << '\n', 1;
  Mutation mutation(std::move(bytes), std::strtoull(words[2], nullptr, 10));
  std::cout << mutation.apply() << '\n';
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << mutation.bytes();
  out.close();
  return out && std::cout ? 0 : 1;
}
