#include "io/weights_file.h"

#include <fmt/format.h>
#include <hdf5.h>
#include <sys/stat.h>
#include <zlib.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "io/hdf5.h"
#include "pickles.h"
#include "support.h"
#include "support/mutate.h"

namespace qfw {
namespace {

using test::PickleText;
using test::spew;
using testing::AllOf;
using testing::Contains;
using testing::ContainsRegex;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using namespace std::string_view_literals;
namespace fs = std::filesystem;

const fs::path golden = fs::path(QFW_SOURCE_DIR) / "tests/golden/import";

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

struct ZipStyle {
  std::uint16_t method = 0;
  std::uint32_t checksum_off = 0;
  std::int64_t place = -1;  ///< of the local header, for an entry that has none of its own
};
/// A zip archive, of entries that are stored, if not said otherwise; in every detail as asked.
class Zip {
 public:
  void add(const std::string& name, const std::string& content, ZipStyle style = {}) {
    const auto crc = static_cast<std::uint32_t>(
                         crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()))) ^
                     style.checksum_off;
    const auto place = static_cast<std::uint32_t>(style.place < 0 ? static_cast<std::int64_t>(local_.size()) : style.place);
    const auto size = static_cast<std::uint32_t>(content.size());
    const std::string common = number<std::uint16_t>(20) + number<std::uint16_t>(0) + number(style.method) +
                               number<std::uint32_t>(0) + number(crc) + number(size) + number(size) +
                               number(static_cast<std::uint16_t>(name.size())) + number<std::uint16_t>(0);
    if (style.place < 0) local_ += "PK\3\4" + common + name + content;
    central_ += "PK\1\2" + number<std::uint16_t>(20) + common + std::string(10, '\0') + number(place) + name;
    ++count_;
  }
  std::string str() const {
    return local_ + central_ + "PK\5\6" + std::string(4, '\0') + number(count_) + number(count_) +
           number(static_cast<std::uint32_t>(central_.size())) + number(static_cast<std::uint32_t>(local_.size())) +
           std::string(2, '\0');
  }

 private:
  template <class T>
  static std::string number(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
  std::string local_, central_;
  std::uint16_t count_ = 0;
};

/// A file as torch.save() makes it, of one tensor `w`.
std::string torch_zip(const PickleText& pickle, const std::string& storage, const ZipStyle& style = {}) {
  Zip zip;
  zip.add("archive/data.pkl", pickle.str());
  zip.add("archive/byteorder", "little");
  zip.add("archive/data/0", storage, style);
  return zip.str();
}
PickleText of_one(std::string_view type, std::initializer_list<std::int64_t> extents,
                  std::initializer_list<std::int64_t> strides, std::int64_t offset, std::int64_t count) {
  PickleText text;
  text.protocol().raw("}(").text("w").tensor(type, "0", count, extents, strides, offset).raw("u.");
  return text;
}

std::string safetensors(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  return bytes_of({length}) + header + data;
}

class WeightsFile : public testing::Test {
 protected:
  fs::path path() const { return folder_.path() / "weights"; }
  std::vector<float> values(const std::string& content, const std::string& name, const TensorType& type) const {
    spew(path(), content);
    const auto found = read_tensors(path(), "", std::vector<AskedTensor>{{name, type}});
    if (!found.contains(name)) return {};
    EXPECT_EQ(found.at(name).otherwise, "");
    return found.at(name).values;
  }
  std::string otherwise(const std::string& content, const std::string& name, const TensorType& type) const {
    spew(path(), content);
    return read_tensors(path(), "", std::vector<AskedTensor>{{name, type}}).at(name).otherwise;
  }
  std::string error(const std::string& content, const TensorType& type = {{2}, DType::f32}) const {
    spew(path(), content);
    return test::message_of(Error::Category::data, [&] {
      list_tensors(path(), "");
      read_tensors(path(), "", std::vector<AskedTensor>{{"w", type}});
    });
  }

  test::TemporaryFolder folder_;
};

/// What a file holds, as floats where they are any.
std::map<std::string, std::vector<float>> all_of(const fs::path& file, const std::string& group) {
  std::vector<AskedTensor> asked;
  for (const ListedTensor& tensor : list_tensors(file, group)) {
    if (tensor.type.find("float") != std::string::npos) asked.push_back({tensor.name, {Shape(tensor.extents), DType::f32}});
  }
  std::map<std::string, std::vector<float>> all;
  for (auto& [name, tensor] : read_tensors(file, group, asked)) {
    EXPECT_EQ(tensor.otherwise, "") << name;
    const std::string module = "module.";
    all.emplace(name.starts_with(module) ? name.substr(module.size()) : name, std::move(tensor.values));
  }
  return all;
}

TEST_F(WeightsFile, OneNetworkInEveryContainerIsTheSame) {
  const auto expected = all_of(golden / "tiny.pth", "");
  EXPECT_EQ(expected.size(), 62u);
  EXPECT_EQ(expected.at("conv1.weight").size(), 4u * 3 * 7 * 7);
  EXPECT_EQ(all_of(golden / "tiny_legacy.pth", "state_dict"), expected);
  EXPECT_EQ(all_of(golden / "tiny.onnx", ""), expected);
  EXPECT_EQ(all_of(golden / "tiny_f64.safetensors", ""), expected);
  EXPECT_EQ(all_of(golden / "tiny_channels_last.pth", ""), expected);
  std::vector<std::string> kinds;
  for (const char* name : {"tiny.pth", "tiny_legacy.pth", "tiny.onnx", "tiny_f64.safetensors", "tiny_keras.h5"}) {
    kinds.emplace_back(name_of(container_of(RegularFile(golden / name))));
  }
  EXPECT_THAT(kinds, ElementsAre("PyTorch (zip)", "PyTorch (legacy)", "ONNX", "safetensors", "HDF5"));
}

TEST_F(WeightsFile, EverythingIsListed) {
  const auto listed = list_tensors(golden / "tiny_legacy.pth", "");
  std::vector<std::string> texts;
  for (const ListedTensor& tensor : listed) texts.push_back(tensor.name + " " + tensor.str());
  EXPECT_THAT(texts, Contains("state_dict/module.conv1.weight 32-bit float [4, 3, 7, 7]"));
  EXPECT_THAT(texts, Contains("state_dict/module.bn1.num_batches_tracked 64-bit integer []"));
  EXPECT_THAT(texts, Contains("optimizer/state/0/momentum_buffer 32-bit float [3]"));
  EXPECT_THAT(test::message_of(Error::Category::data, [] { list_tensors(golden / "tiny.pth", "ema"); }),
              HasSubstr("there is no group ema"));
}

TEST_F(WeightsFile, NumbersOfEveryKind) {
  const auto stored = [](const char* dtype, const std::string& data, const char* shape = "[2]") {
    return safetensors(fmt::format(R"({{"w":{{"dtype":"{}","shape":{},"data_offsets":[0,{}]}}}})", dtype, shape, data.size()),
                       data);
  };
  const TensorType floats{{2}, DType::f32}, whole{{2}, DType::s32};
  EXPECT_THAT(values(stored("F32", bytes_of({1.5f, -2.f})), "w", floats), ElementsAre(1.5f, -2.f));
  EXPECT_THAT(values(stored("F16", bytes_of<std::uint16_t>({0x3e00, 0x0001})), "w", floats), ElementsAre(1.5f, 0x1p-24f));
  EXPECT_THAT(values(stored("BF16", bytes_of<std::uint16_t>({0x3fc0, 0xc000})), "w", floats), ElementsAre(1.5f, -2.f));
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(values(stored("F64", bytes_of({0.1, infinity})), "w", floats),
              ElementsAre(0.1f, std::numeric_limits<float>::infinity()));
  EXPECT_THAT(values(stored("I64", bytes_of<std::int64_t>({-7, 2147483647})), "w", whole), ElementsAre(-7, 2147483648.f));
  EXPECT_THAT(values(stored("U8", bytes_of<std::uint8_t>({7, 255})), "w", whole), ElementsAre(7, 255));
  EXPECT_THAT(values(stored("BOOL", bytes_of<std::uint8_t>({0, 1})), "w", whole), ElementsAre(0, 1));
  EXPECT_THAT(values(stored("F32", "", "[0]"), "w", {{0}, DType::f32}), ElementsAre());
  EXPECT_THAT(error(stored("I64", bytes_of<std::int64_t>({1, 2147483648})), whole), HasSubstr("beyond 32 bits"));
  EXPECT_THAT(error(stored("U64", bytes_of<std::uint64_t>({1, ~std::uint64_t{0}})), whole), HasSubstr("beyond 32 bits"));
  EXPECT_EQ(otherwise(stored("I32", bytes_of({1, 2})), "w", floats), "32-bit integer [2]");
  EXPECT_EQ(otherwise(stored("F8_E4M3", "ab"), "w", floats), "F8_E4M3 [2]");
  EXPECT_EQ(otherwise(stored("F32", bytes_of({1.f, 2.f}), "[1, 2]"), "w", floats), "32-bit float [1, 2]");
}

/// Which is another fault than a weight that is infinite in the file.
TEST_F(WeightsFile, NumbersBeyondFloatsAreNamedAsTheyAre) {
  const std::string data = bytes_of({0.5, -1e300});
  const auto named = HasSubstr("w holds -1e+300 at 1, which is beyond what 32-bit floats hold");
  const std::string header = R"({"w":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})";
  EXPECT_THAT(error(safetensors(header, data)), named);
  EXPECT_THAT(error(torch_zip(of_one("DoubleStorage", {2}, {1}, 0, 2), data)), named);
  EXPECT_THAT(error("\x08\x08\x3a\x1b\x2a\x19\x08\x02\x10\x0b\x42\x01w\x4a\x10" + data), named) << "ONNX";
  const auto write = [&](double value) {
    const std::array<double, 2> values{0.5, value};
    const hsize_t extent = 2;
    const hdf5::Handle file(H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    const hdf5::Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose);
    const hdf5::Handle set(H5Dcreate2(file.get(), "w", H5T_IEEE_F64BE, space.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                           H5Dclose);
    H5Dwrite(set.get(), H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  };
  const auto read = [&] { return read_tensors(path(), "", std::vector<AskedTensor>{{"w", {{2}, DType::f32}}}); };
  write(-1e300);
  EXPECT_THAT(test::message_of(Error::Category::data, read), named);
  write(-1e30);
  EXPECT_THAT(read().at("w").values, ElementsAre(0.5f, -1e30f));
}

/// The older form of torch.save(), cut in the middle of its last storage.
TEST_F(WeightsFile, AStorageThatIsCutShortTellsWhatItTakes) {
  const std::string whole = test::slurp(golden / "tiny_legacy.pth");
  EXPECT_THAT(error(whole.substr(0, whole.size() - 5)),
              AllOf(ContainsRegex("storage [0-9]+ is cut short: its [0-9]+ numbers take [0-9]+ bytes, and [0-9]+ are left"),
                    HasSubstr("cut short or hostile")));
}

TEST_F(WeightsFile, WhatIsNoFileOfWeightsIsNamed) {
  EXPECT_THAT(error(""), HasSubstr("it is empty"));
  EXPECT_THAT(error("\x80\x04N."), HasSubstr("a pickle, but none that torch.save() made"));
  EXPECT_THAT(error("\x1f\x8b\x08"), HasSubstr("gzip"));
  EXPECT_THAT(error("\x93NUMPY"), HasSubstr("numpy array"));
  EXPECT_THAT(error("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("Git LFS"));
  EXPECT_THAT(error("<!DOCTYPE html>"), HasSubstr("web page"));
  EXPECT_THAT(error("some text"), AllOf(HasSubstr("of a kind that is known here"), HasSubstr("known are HDF5")));
  Zip keras, arrays, other, script;
  keras.add("model.weights.h5", "x");
  arrays.add("w.npy", "x");
  other.add("readme", "x");
  script.add("m/data.pkl", "N.");
  script.add("m/constants.pkl", "N.");
  EXPECT_THAT(error(keras.str()), HasSubstr(".keras archive"));
  EXPECT_THAT(error(arrays.str()), HasSubstr("numpy arrays"));
  EXPECT_THAT(error(other.str()), HasSubstr("none that torch.save() made"));
  EXPECT_THAT(error(script.str()), HasSubstr("TorchScript"));
  ASSERT_EQ(fs::remove(path()), true);
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { list_tensors(path(), ""); }), HasSubstr("pipe"));
}

TEST_F(WeightsFile, StridesOfTensorsAreFollowed) {
  const std::string storage = bytes_of({0.f, 1.f, 2.f, 3.f, 4.f, 5.f});
  const TensorType type{{2, 3}, DType::f32};
  EXPECT_THAT(values(torch_zip(of_one("FloatStorage", {2, 3}, {3, 1}, 0, 6), storage), "w", type),
              ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(values(torch_zip(of_one("FloatStorage", {2, 3}, {1, 2}, 0, 6), storage), "w", type),
              ElementsAre(0, 2, 4, 1, 3, 5));
  EXPECT_THAT(values(torch_zip(of_one("FloatStorage", {2, 3}, {0, 1}, 2, 6), storage), "w", type),
              ElementsAre(2, 3, 4, 2, 3, 4));
}

TEST_F(WeightsFile, HostileZipArchivesAreErrors) {
  const std::string storage = bytes_of({1.f, 2.f});
  const PickleText pickle = of_one("FloatStorage", {2}, {1}, 0, 2);
  EXPECT_THAT(values(torch_zip(pickle, storage), "w", {{2}, DType::f32}), ElementsAre(1, 2));
  EXPECT_THAT(error(torch_zip(pickle, storage, {.checksum_off = 1})), HasSubstr("archive/data/0"));
  EXPECT_THAT(error(torch_zip(pickle, storage, {.method = 8})), HasSubstr("compressed"));
  EXPECT_THAT(error(torch_zip(pickle, storage + "more")), HasSubstr("has 12 bytes, its 2 numbers take 8"));
  EXPECT_THAT(error(torch_zip(pickle, "")), HasSubstr("has 0 bytes"));
  EXPECT_THAT(error(torch_zip(of_one("FloatStorage", {2}, {1}, 0, std::int64_t{1} << 40), storage)), HasSubstr("numbers take"));
  const std::string whole = torch_zip(pickle, storage);
  for (std::size_t size = 4; size < whole.size(); size += 7) {
    EXPECT_THAT(error(whole.substr(0, size)), HasSubstr("weights")) << "cut to " << size;
  }
  Zip overlapping;
  overlapping.add("archive/data.pkl", pickle.str());
  overlapping.add("archive/data/0", std::string(4096, 'x'));
  for (int i = 1; i < 50; ++i) overlapping.add(fmt::format("archive/data/{}", i), std::string(4096, 'x'), {.place = 16});
  EXPECT_THAT(error(overlapping.str()), HasSubstr("overlap"));
  Zip twice;
  twice.add("archive/data.pkl", pickle.str());
  twice.add("archive/data.pkl", pickle.str());
  EXPECT_THAT(error(twice.str()), AnyOf(HasSubstr("two entries"), HasSubstr("zip archive")));
  Zip big_endian;
  big_endian.add("a/data.pkl", pickle.str());
  big_endian.add("a/byteorder", "big");
  EXPECT_THAT(error(big_endian.str()), HasSubstr("big-endian"));
  Zip lacking;
  lacking.add("a/data.pkl", pickle.str());
  EXPECT_THAT(error(lacking.str()), HasSubstr("has no entry a/data/0"));
  PickleText evil;
  evil.protocol().global("os", "system").text("touch " + (folder_.path() / "made").string()).raw("\x85R.");
  EXPECT_THAT(error(torch_zip(evil, storage)), HasSubstr("use os.system"));
  EXPECT_FALSE(fs::exists(folder_.path() / "made"));
}

TEST_F(WeightsFile, HostileSafetensorsAreErrors) {
  const auto with = [](const std::string& entries, std::size_t bytes = 8) {
    return safetensors("{" + entries + "}", std::string(bytes, '\1'));
  };
  const std::string good = R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  EXPECT_EQ(values(with(R"("__metadata__":{"format":"pt"},)" + good), "w", {{2}, DType::f32}).size(), 2u);
  EXPECT_THAT(error(with(good, 7)), HasSubstr("outside of the file"));
  EXPECT_THAT(error(with(good, 9)), HasSubstr("end at byte"));
  EXPECT_THAT(error(with(R"("w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]})")), HasSubstr("not what 3 numbers take"));
  EXPECT_THAT(error(with(R"("w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]})")), HasSubstr("whole numbers"));
  EXPECT_THAT(error(with(R"("w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]})")),
              HasSubstr("impossible extents"));
  EXPECT_THAT(error(with(R"("w":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]})")), HasSubstr("whole numbers"));
  EXPECT_THAT(error(with(R"("w":{"dtype":"F32","shape":[2]})")), HasSubstr("w has no data_offsets"));
  EXPECT_THAT(error(with(R"("w":{"dtype":7,"shape":[2],"data_offsets":[0,8]})")), HasSubstr("dtype of w"));
  EXPECT_THAT(error(with(R"("w":7)")), HasSubstr("w has no dtype"));
  EXPECT_THAT(error(with(good + R"(,"v":{"dtype":"F32","shape":[1],"data_offsets":[4,8]})")), HasSubstr("overlap"));
  EXPECT_THAT(error(with(R"("w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]})")), HasSubstr("bytes between"));
  EXPECT_THAT(error(safetensors("{oops", "")), HasSubstr("header"));
  EXPECT_THAT(error(safetensors(std::string(100'000, '{'), "")), HasSubstr("header"));
  EXPECT_THAT(error(bytes_of<std::uint64_t>({0xffff'ffff}) + "{}"), HasSubstr("the header should have"));
}

TEST_F(WeightsFile, HostileOnnxModelsAreErrors) {
  const auto field = [](int number, const std::string& content) {
    return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} + content;
  };
  const auto model = [&](const std::string& graph) { return "\x08\x08" + field(7, graph); };
  const std::string floats = bytes_of({1.5f, -2.f});
  const TensorType type{{2}, DType::f32};
  const std::string head = "\x08\x02\x10\x01" + field(8, "w");
  EXPECT_THAT(values(model(field(5, head + field(9, floats))), "w", type), ElementsAre(1.5f, -2.f));
  EXPECT_THAT(values(model(field(5, head + field(4, floats))), "w", type), ElementsAre(1.5f, -2.f)) << "a packed list";
  EXPECT_THAT(
      values(model(field(5, field(1, "\x02") + "\x10\x0a" + field(8, "w") + field(5, "\x80\x7c\x80\x80\x03"))), "w", type),
      ElementsAre(1.5f, -2.f))
      << "halves as integers";
  EXPECT_THAT(error(model(field(5, head + field(9, "abc")))), HasSubstr("w has 3 bytes, its 2 numbers take 8"));
  EXPECT_THAT(error(model(field(5, head + field(13, "x")))), HasSubstr("lie in another file"));
  EXPECT_THAT(error(model(field(5, head + "\x70\x01"))), HasSubstr("lie in another file"));
  EXPECT_THAT(error(model(field(5, head + field(9, floats)) + field(5, head + field(9, floats)))), HasSubstr("two tensors w"));
  EXPECT_THAT(error(model(field(5, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x01" + field(8, "w")))),
              HasSubstr("impossible extents"));
  EXPECT_THAT(error(model(field(15, "x"))), HasSubstr("sparse"));
  EXPECT_THAT(error(model("")), HasSubstr("no weights"));
  EXPECT_THAT(error("\x08\x08\x12\x01x"), HasSubstr("no graph"));
  EXPECT_THAT(error("\x08\x08\x3a\x7fxx"), HasSubstr("damaged"));
  EXPECT_EQ(otherwise(model(field(5, "\x08\x02\x10\x15" + field(8, "w"))), "w", type), "type 21 of ONNX [2]");
}

/// Each mutated file gives values or one error, soon.
TEST_F(WeightsFile, MutationsEndInAnErrorOrAreRead) {
  for (const char* name : {"tiny.pth", "tiny_legacy.pth", "tiny.onnx", "tiny_transformers.safetensors"}) {
    const std::string whole = test::slurp(golden / name);
    int refused = 0;
    for (int i = 0; i < test::mutations(); ++i) {
      spew(path(), test::mutated(whole, static_cast<std::uint64_t>(i)));
      const auto start = std::chrono::steady_clock::now();
      try {
        all_of(path(), "");
      } catch (const Error& error) {
        EXPECT_EQ(static_cast<int>(error.category()), static_cast<int>(Error::Category::data)) << error.what();
        ++refused;
      }
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15)) << name << ", mutation " << i;
    }
    std::printf("%s: %d mutations, %d refused\n", name, test::mutations(), refused);
    EXPECT_GT(refused, test::mutations() / 5);
  }
  EXPECT_LT(test::peak_memory(), std::uint64_t{1} << 30);
}

}  // namespace
}  // namespace qfw
