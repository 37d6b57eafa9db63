#include "qfw/regular_file.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "support/files.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class RegularFiles : public testing::Test {
 protected:
  std::string error(const fs::path& path) const {
    return test::message_of(Error::Category::data, [&] { RegularFile file(path); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(RegularFiles, OnlyRegularFilesAreOpened) {
  const fs::path path = folder_.path() / "x";
  EXPECT_THAT(error(path), AllOf(HasSubstr("No such file"), HasSubstr(path.string())));
  EXPECT_THAT(error(folder_.path()), HasSubstr("it is a folder"));
  EXPECT_THAT(error("/dev/zero"), HasSubstr("it is a device"));
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_THAT(error(path), HasSubstr("it is a pipe"));
  fs::remove(path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(error(path), AllOf(HasSubstr("it is a socket, not a file"), HasSubstr("name a file that is there")));
  close(socket);
  fs::remove(path);
  fs::create_symlink("gone", path);
  EXPECT_THAT(error(path), HasSubstr("it is a link to gone, which is not there"));
  fs::remove(path);
  fs::create_symlink("x", path);
  EXPECT_THAT(error(path), HasSubstr("it is a link that leads back to itself"));
}

TEST_F(RegularFiles, TellThatTheyHaveChanged) {
  const fs::path path = folder_.path() / "x";
  std::ofstream(path) << std::string(10'000, 'a');
  const RegularFile file(path);
  std::vector<std::byte> bytes(100);
  file.read(9'900, bytes);
  EXPECT_EQ(bytes.back(), std::byte{'a'});
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { file.read(9'901, bytes); }), HasSubstr("it ends at byte"));
  EXPECT_EQ(RegularFile(path).identity(), file.identity());
  file.check_unchanged();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  std::ofstream(path, std::ios::in).put('b');
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { file.check_unchanged(); }),
              HasSubstr("has changed since it was opened"));
  EXPECT_NE(RegularFile(path).identity(), file.identity());
  fs::resize_file(path, 50);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { file.read(9'000, bytes); }), HasSubstr("it ends at byte"));
}

}  // namespace
}  // namespace qfw
