#pragma once

namespace qfw {

/// While it lives, usable_processors() grants the calling thread one of so many equal shares of the quota.
class QuotaShare {
 public:
  explicit QuotaShare(int sharers);
  QuotaShare(const QuotaShare&) = delete;
  QuotaShare& operator=(const QuotaShare&) = delete;
  ~QuotaShare();

 private:
  int before_;
};

}  // namespace qfw
