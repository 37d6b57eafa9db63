#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace qfw::fashion_mnist {

/// One gzip member that fills its file, inflated piece by piece. Errors are Error::Category::data and name file and offset.
class GzipReader {
 public:
  explicit GzipReader(const std::filesystem::path& path);
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;
  ~GzipReader();

  /// The next bytes, fewer only at the end of the content.
  std::size_t read(std::span<std::byte> to);
  /// That the content ends here, its check sum agrees and nothing follows it in the file.
  void expect_end();

  std::uint64_t offset() const { return inflated_; }  ///< in the inflated content
  const std::filesystem::path& path() const { return path_; }

 private:
  [[noreturn]] void damaged(const char* what) const;

  struct Stream;
  std::filesystem::path path_;
  std::vector<unsigned char> file_;
  Stream* stream_ = nullptr;
  std::uint64_t inflated_ = 0;
  bool ended_ = false;
};

}  // namespace qfw::fashion_mnist
