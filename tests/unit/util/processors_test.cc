#include "qfw/processors.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sched.h>

#include <fstream>
#include <thread>

#include "support/files.h"
#include "util/processor_share.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

/// A machine of four cores with two hardware threads each, as far as this process may use it, and its control groups.
class ProcessorsTest : public ::testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) const {
    const fs::path whole = folder_.path() / path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << text << '\n';
  }
  void version_2(const std::string& group, const std::string& top = "/") const {
    put("proc/self/cgroup", "0::" + group);
    put("proc/self/mountinfo",
        "24 1 0:21 / /proc rw - proc proc rw\n30 23 0:26 " + top + " /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw");
  }
  void version_1(const std::string& group, const std::string& top = "/") const {
    put("proc/self/cgroup", "5:memory:/elsewhere\n4:cpuacct,cpu:" + group + "\n0::/");
    put("proc/self/mountinfo", "31 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n33 23 0:28 " + top +
                                   " /sys/fs/cgroup/cpu\\040all rw master:3 - cgroup cgroup rw,cpuacct,cpu");
  }
  std::optional<double> quota() const { return usable_processors(folder_.path()).quota; }

  const test::TemporaryFolder folder_;
};

TEST_F(ProcessorsTest, NothingToReadLimitsNothing) {
  const Processors found = usable_processors(folder_.path());
  EXPECT_EQ(found.quota, std::nullopt);
  EXPECT_EQ(found.cores, static_cast<int>(found.allowed.size())) << "each hardware thread is taken for a core";
  EXPECT_EQ(found.threads(), found.cores);
  EXPECT_EQ(found.limits(), "");
}

TEST_F(ProcessorsTest, TheSmallestQuotaOnTheWayToTheMountPointCounts) {
  version_2("/a/b/c");
  put("sys/fs/cgroup/a/cpu.max", "max 100000");
  EXPECT_EQ(quota(), std::nullopt);
  put("sys/fs/cgroup/a/b/c/cpu.max", "350000 100000");
  EXPECT_EQ(quota(), 3.5);
  put("sys/fs/cgroup/a/b/cpu.max", "125000 50000");
  EXPECT_EQ(quota(), 2.5);
  put("sys/fs/cgroup/cpu.max", "200000 100000");
  EXPECT_EQ(quota(), 2);
  put("sys/fs/cgroup/a/d/cpu.max", "100000 100000");
  EXPECT_EQ(quota(), 2) << "a group beside it";
}

TEST_F(ProcessorsTest, OfVersion1) {
  version_1("/a/b");
  const std::string mount = "sys/fs/cgroup/cpu all/";
  put(mount + "cpu.cfs_quota_us", "-1");
  put(mount + "cpu.cfs_period_us", "100000");
  EXPECT_EQ(quota(), std::nullopt);
  put(mount + "a/b/cpu.cfs_quota_us", "150000");
  EXPECT_EQ(quota(), std::nullopt) << "without its period it says nothing";
  put(mount + "a/b/cpu.cfs_period_us", "100000");
  EXPECT_EQ(quota(), 1.5);
  put(mount + "a/cpu.cfs_quota_us", "10000");
  put(mount + "a/cpu.cfs_period_us", "20000");
  EXPECT_EQ(quota(), 0.5);
}

TEST_F(ProcessorsTest, BothVersionsAtOnce) {
  version_1("/a");
  std::ofstream(folder_.path() / "proc/self/mountinfo", std::ios::app)
      << "40 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 x rw\n";
  put("sys/fs/cgroup/cpu all/a/cpu.cfs_quota_us", "300000");
  put("sys/fs/cgroup/cpu all/a/cpu.cfs_period_us", "100000");
  EXPECT_EQ(quota(), 3);
  put("sys/fs/cgroup/unified/cpu.max", "250000 100000");
  EXPECT_EQ(quota(), 2.5);
}

TEST_F(ProcessorsTest, InAContainerTheMountShowsAGroupOfTheHost) {
  version_2("/docker/0123/job", "/docker/0123");
  put("sys/fs/cgroup/job/cpu.max", "300000 100000");
  put("sys/fs/cgroup/docker/0123/job/cpu.max", "100000 100000");
  EXPECT_EQ(quota(), 3);
  for (const char* elsewhere : {"/docker/4567", "/../4567"}) {
    version_2(elsewhere, elsewhere[1] == 'd' ? "/docker/0123" : "/");
    put("sys/fs/cgroup/cpu.max", "400000 100000");
    put("sys/fs/cgroup/4567/cpu.max", "100000 100000");
    EXPECT_EQ(quota(), 4) << "of " << elsewhere << " only the mount point can be seen";
  }
}

TEST_F(ProcessorsTest, DamagedFilesLimitNothing) {
  version_2("/");
  for (const char* text :
       {"", "100000", "100000 0", "-5 100000", "0 100000", "1e999 100000", "100000x 100000", "max", "nan nan"}) {
    put("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(quota(), std::nullopt) << text;
  }
  put("sys/fs/cgroup/cpu.max", "150000 100000");
  for (const char* text : {"", "no colons", "0:/", "1:cpu,memory:/", ":", "::"}) {
    put("proc/self/cgroup", text);
    EXPECT_EQ(quota(), text == std::string("::") ? std::optional(1.5) : std::nullopt) << text;
  }
  version_2("/");
  for (const char* text : {"", "30 23 0:26 / /sys/fs/cgroup", "30 23 0:26 / /sys/fs/cgroup rw -", "- cgroup2 cgroup2 rw"}) {
    put("proc/self/mountinfo", text);
    EXPECT_EQ(quota(), std::nullopt) << text;
  }
  version_1("/");
  put("sys/fs/cgroup/cpu all/cpu.cfs_quota_us", "150000 and more");
  put("sys/fs/cgroup/cpu all/cpu.cfs_period_us", "100000");
  EXPECT_EQ(quota(), std::nullopt);
}

TEST_F(ProcessorsTest, ReplicasOfAProcessShareTheQuota) {
  version_2("/");
  put("sys/fs/cgroup/cpu.max", "300000 100000");
  {
    const QuotaShare of_two(2);
    EXPECT_EQ(quota(), 1.5);
    std::thread([&] { EXPECT_EQ(quota(), 3); }).join();
  }
  EXPECT_EQ(quota(), 3);
}

TEST_F(ProcessorsTest, HardwareThreadsOfACoreCountOnce) {
  const auto allowed = usable_processors(folder_.path()).allowed;
  ASSERT_FALSE(allowed.empty());
  for (const int cpu : allowed)
    put(fmt::format("sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu),
        fmt::format("{}-{}", allowed.front(), allowed.back()));
  EXPECT_EQ(usable_processors(folder_.path()).cores, 1);
  put("sys/devices/system/cpu/online", fmt::format("{}-{},1000", allowed.front(), allowed.back()));
  EXPECT_EQ(usable_processors(folder_.path()).machine_cores, 2);
  EXPECT_EQ(usable_processors(folder_.path()).limits(), "of 2 cores; 1 of them may be used");
}

TEST(Processors, TheAffinityMaskOfTheCallingThreadCounts) {
  const Processors all = usable_processors();
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(all.allowed.back()), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    const Processors found = usable_processors();
    EXPECT_EQ(found.allowed, std::vector{all.allowed.back()});
    EXPECT_EQ(found.threads(), 1);
    EXPECT_EQ(found.machine_cores, all.machine_cores);
  }).join();
}

TEST(Processors, ThreadsAreTheNearestNumberToTheQuota) {
  const auto threads = [](double quota) {
    return Processors{.machine_cores = 8, .cores = 4, .allowed = {}, .quota = quota}.threads();
  };
  EXPECT_EQ(threads(0.01), 1);
  EXPECT_EQ(threads(1.4), 1);
  EXPECT_EQ(threads(1.5), 2);
  EXPECT_EQ(threads(1.9), 2);
  EXPECT_EQ(threads(3.7), 4);
  EXPECT_EQ(threads(100), 4);
}

TEST(Processors, SayWhatLimitsThem) {
  const auto limits = [](int machine, int cores, std::optional<double> quota) {
    return Processors{.machine_cores = machine, .cores = cores, .allowed = {}, .quota = quota}.limits();
  };
  EXPECT_EQ(limits(16, 16, std::nullopt), "");
  EXPECT_EQ(limits(16, 16, 20), "");
  EXPECT_EQ(limits(16, 16, 2), "of 16 cores; the cgroup allows 2.0");
  EXPECT_EQ(limits(16, 4, 20), "of 16 cores; 4 of them may be used");
  EXPECT_EQ(limits(16, 4, 2.5), "of 16 cores; 4 of them may be used; the cgroup allows 2.5");
  EXPECT_EQ(limits(1, 1, 0.5), "of 1 core; the cgroup allows 0.5");
}

}  // namespace
}  // namespace qfw
