#include "io/pickle.h"

#include "io/torch_pickle.h"
#include "pickles.h"
#include "support.h"

namespace qfw {
namespace {

using test::PickleText;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::string_view_literals;
using Kind = Pickle::Node::Kind;

Pickle read(const PickleText& text) { return Pickle(text.bytes(), torch_names(), "evil.pth"); }
std::string error_of(const PickleText& text) {
  return test::message_of(Error::Category::data, [&] { torch_tensors(read(text), "evil.pth"); });
}

TEST(Pickles, ValuesOfEveryKind) {
  PickleText text;
  text.protocol().raw("}(").text("list").raw("](").integer(7).integer(-3).raw("\x88").raw("Ne");
  text.text("real").raw("G\x3f\xf8\0\0\0\0\0\0"sv).text("huge").raw("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
  text.raw("\x8c\x01s")
      .raw("M\x39\x30")
      .raw("U\x01i")
      .raw("J\xff\xff\xff\xff")
      .raw("\x8c\x01t")
      .integer(1)
      .integer(2)
      .raw("\x86");
  text.raw("u.");
  const Pickle pickle = read(text);
  const auto item = [&](std::size_t i) { return pickle[pickle.root().items.at(i)]; };
  ASSERT_EQ(pickle.root().kind, Kind::mapping);
  ASSERT_EQ(pickle.root().items.size(), 12u);
  EXPECT_EQ(item(0).text, "list");
  ASSERT_EQ(item(1).items.size(), 4u);
  EXPECT_EQ(pickle[item(1).items[1]].integer, -3);
  EXPECT_EQ(pickle[item(1).items[2]].kind, Kind::boolean);
  EXPECT_EQ(pickle[item(1).items[3]].kind, Kind::none);
  EXPECT_EQ(item(3).real, 1.5);
  EXPECT_EQ(item(5).kind, Kind::huge);
  EXPECT_EQ(item(5).text.size(), 10u);
  EXPECT_EQ(item(7).integer, 12345);
  EXPECT_EQ(item(9).integer, -1);
  EXPECT_EQ(item(11).items.size(), 2u);
  EXPECT_EQ(pickle.size(), text.str().size());
}

TEST(Pickles, TensorsOfNestedDictionaries) {
  PickleText whole;
  whole.protocol().raw("}(").text("model").global("collections", "OrderedDict").raw(")R(").text("a.weight");
  whole.tensor("HalfStorage", "0", 10, {2, 3}, {3, 1}, 4).raw("u}b");
  whole.text("state").raw("}(").integer(0).raw("}(").text("exp_avg").tensor("FloatStorage", "1", 1, {}, {}).raw("uu");
  whole.text("parameter").global("torch._utils", "_rebuild_parameter").mark().tensor("FloatStorage", "2", 3, {3}, {1});
  whole.raw("\x89").raw("Nt").call();
  whole.raw("u.");
  const auto tensors = torch_tensors(read(whole), "good.pth");
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_THAT(tensors.at("parameter").extents, ElementsAre(3));
  const TorchTensor& tensor = tensors.at("model/a.weight");
  EXPECT_THAT(tensor.extents, ElementsAre(2, 3));
  EXPECT_THAT(tensor.strides, ElementsAre(3, 1));
  EXPECT_EQ(tensor.offset, 4);
  EXPECT_EQ(tensor.storage.number, Number::f16);
  EXPECT_EQ(tensor.storage.count, 10u);
  EXPECT_TRUE(tensors.contains("state/0/exp_avg"));
}

/// Each of these does what it says when Python unpickles it.
TEST(Pickles, ProgramsAreRefusedByNameAndNeverRun) {
  const test::TemporaryFolder folder;
  const auto made = folder.path() / "made";
  const std::string command = "touch " + made.string();
  PickleText system, posix, eval, stacked, instance, object, chain, hidden;
  system.global("os", "system").mark().text(command).tuple().call().stop();
  posix.protocol().global("posix", "system").text(command).raw("\x85R.");
  eval.protocol().global("builtins", "eval").text("__import__('os').system('" + command + "')").raw("\x85R.");
  stacked.protocol(4).raw("\x8c\x02os\x8c\x06system\x93").text(command).raw("\x85R.");
  instance.raw("(").text(command).raw("ios\nsystem\n.");
  object.protocol().raw("(").global("os", "system").text(command).raw("o.");
  chain.protocol().global("builtins", "getattr").global("builtins", "__import__").text("os").raw("\x85R").text("system");
  chain.raw("\x86R").text(command).raw("\x85R.");
  hidden.protocol().raw("}(").text("conv1.weight").tensor("FloatStorage", "0", 1, {1}, {1}).text("x");
  hidden.global("subprocess", "Popen").text(command).raw("\x85Ru.");
  EXPECT_THAT(error_of(system), AllOf(HasSubstr("use os.system"), HasSubstr("nothing of it was run"), HasSubstr("evil.pth")));
  EXPECT_THAT(error_of(posix), HasSubstr("use posix.system"));
  EXPECT_THAT(error_of(eval), HasSubstr("use builtins.eval"));
  EXPECT_THAT(error_of(stacked), HasSubstr("use os.system"));
  EXPECT_THAT(error_of(instance), HasSubstr("make an object of a class"));
  EXPECT_THAT(error_of(object), HasSubstr("use os.system"));
  EXPECT_THAT(error_of(chain), HasSubstr("use builtins.getattr"));
  EXPECT_THAT(error_of(hidden), HasSubstr("use subprocess.Popen"));
  EXPECT_FALSE(std::filesystem::exists(made));

  PickleText newobj, extension, attributes, lines;
  newobj.protocol().global("collections", "OrderedDict").raw(")\x81.");
  extension.protocol().raw("\x82\x01.");
  attributes.protocol().global("torch", "Size").raw(")R}b.");
  lines.raw("I12\n.");
  EXPECT_THAT(error_of(newobj), HasSubstr("make an object of a class"));
  EXPECT_THAT(error_of(extension), HasSubstr("look up a registered class"));
  EXPECT_THAT(error_of(attributes), HasSubstr("set attributes of an object"));
  EXPECT_THAT(error_of(lines), HasSubstr("text form of the first protocol"));
  PickleText near_miss, dotted;
  near_miss.protocol().global("torch", "FloatStorage.__init__").stop();
  dotted.protocol().global("torch._utils", "_rebuild_tensor_v2.__globals__").stop();
  EXPECT_THAT(error_of(near_miss), HasSubstr("use torch.FloatStorage.__init__"));
  EXPECT_THAT(error_of(dotted), HasSubstr("__globals__"));
}

TEST(Pickles, BrokenOnesAreErrors) {
  const auto broken = [](std::string_view bytes) {
    PickleText text;
    return error_of(text.raw(bytes));
  };
  EXPECT_THAT(broken(""), HasSubstr("cut short"));
  EXPECT_THAT(broken("\x80\x02"), HasSubstr("cut short"));
  EXPECT_THAT(broken("\x80\x09N."), HasSubstr("protocol 9"));
  EXPECT_THAT(broken("."), HasSubstr("other than one value"));
  EXPECT_THAT(broken("NN."), HasSubstr("other than one value"));
  EXPECT_THAT(broken("(."), HasSubstr("other than one value"));
  EXPECT_THAT(broken("t."), HasSubstr("a mark that was never set"));
  EXPECT_THAT(broken("N(\x85."), HasSubstr("a value where there is none"));
  EXPECT_THAT(broken("Na."), HasSubstr("a value where there is none"));
  EXPECT_THAT(broken("NNa."), HasSubstr("no collection"));
  EXPECT_THAT(broken("}(Nu."), HasSubstr("a key without a value"));
  EXPECT_THAT(broken("h\x05."), HasSubstr("never remembered"));
  EXPECT_THAT(broken("X\xff\xff\xff\xffz."), HasSubstr("cut short"));
  EXPECT_THAT(broken("N)R."), HasSubstr("no function"));
  EXPECT_THAT(broken("ctorch\nSize\nNR."), HasSubstr("no list of arguments"));
  EXPECT_THAT(broken("ctorch"), HasSubstr("a name does not end"));
  EXPECT_THAT(broken("\xffN."), HasSubstr("no instruction 0xff"));
  EXPECT_THAT(broken("N."), HasSubstr("no tensors"));
}

TEST(Pickles, TensorsBeyondTheirStorageAreErrors) {
  const auto with = [](std::initializer_list<std::int64_t> extents, std::initializer_list<std::int64_t> strides,
                       std::int64_t offset = 0, std::int64_t count = 6) {
    PickleText text;
    text.protocol().raw("}(").text("w").tensor("FloatStorage", "0", count, extents, strides, offset).raw("u.");
    return text;
  };
  EXPECT_EQ(torch_tensors(read(with({2, 3}, {1, 2})), "").size(), 1u) << "columns first";
  EXPECT_EQ(torch_tensors(read(with({100, 0}, {9, 9})), "").size(), 1u) << "empty";
  EXPECT_THAT(error_of(with({2, 4}, {4, 1})), HasSubstr("w reaches to number 7 of a storage that has 6"));
  EXPECT_THAT(error_of(with({2, 3}, {3, 1}, 1)), HasSubstr("reaches to number 6"));
  EXPECT_THAT(error_of(with({2, 3}, {-3, 1}, 3)), HasSubstr("impossible extents or strides"));
  EXPECT_THAT(error_of(with({2, 3}, {3, 1}, -1)), HasSubstr("impossible"));
  EXPECT_THAT(error_of(with({2, 3}, {3})), HasSubstr("impossible"));
  EXPECT_THAT(error_of(with({-2, 3}, {3, 1})), HasSubstr("impossible"));
  EXPECT_THAT(error_of(with({1LL << 40, 1LL << 40}, {0, 0})), HasSubstr("impossible"));
  EXPECT_THAT(error_of(with({3, 3}, {1LL << 62, 1})), HasSubstr("impossible"));
  EXPECT_THAT(error_of(with({2, 3}, {3, 1}, 0, 1LL << 60)), HasSubstr("a storage of"));
  PickleText no_storage;
  no_storage.protocol().raw("}(").text("w").global("torch._utils", "_rebuild_tensor_v2").raw("(NK\0)t"sv).call().raw("u.");
  EXPECT_THAT(error_of(no_storage), HasSubstr("w is no whole tensor"));
  PickleText other;
  other.protocol().raw("}(").text("w").global("torch._utils", "_rebuild_tensor_v2").raw("(").text("file").raw("QK\0))t"sv);
  EXPECT_THAT(error_of(other.call().raw("u.")), HasSubstr("no storage of a tensor"));
}

/// A few bytes that describe more than any memory holds.
TEST(Pickles, BombsEndInAnError) {
  const auto remembered = [](int i) { return std::string(1, static_cast<char>(i)); };
  PickleText doubled;
  doubled.protocol().raw("}(").text("k").raw("}q" + remembered(0));
  for (int i = 1; i < 30; ++i) {  // each holds the one before twice
    const std::string before = "h" + remembered(i - 1);
    doubled.text("k").raw("}(").text("a").raw(before).text("b").raw(before).raw("uq" + remembered(i));
  }
  EXPECT_THAT(error_of(doubled.raw("u.")), HasSubstr("too often"));
  PickleText itself;
  itself.protocol().raw("}q\0("sv).text("again").raw("h\0u."sv);
  EXPECT_THAT(error_of(itself), HasSubstr("hold each other"));
  PickleText deep;
  for (int i = 0; i < 500'000; ++i) deep.raw("](");
  EXPECT_THAT(error_of(deep), HasSubstr("cut short"));
  PickleText nested;
  for (int i = 0; i < 300'000; ++i) nested.raw("]");
  for (int i = 1; i < 300'000; ++i) nested.raw("a");
  EXPECT_THAT(error_of(nested.stop()), HasSubstr("no tensors"));
  PickleText long_one;
  for (int i = 0; i < 1'000'001; ++i) long_one.raw("N");
  EXPECT_THAT(error_of(long_one), HasSubstr("more than 1000000 values"));
  PickleText copies;  // a list that calls take again and again
  copies.raw("ctorch\nSize\nq\0("sv);
  for (int i = 0; i < 100'000; ++i) copies.raw("N");
  copies.raw("tq\1"sv);
  for (int i = 0; i < 100; ++i) copies.raw("h\0h\1R"sv);
  EXPECT_THAT(error_of(copies), HasSubstr("more than 4000000 parts"));
  PickleText memo;
  memo.raw("N").raw(std::string(1'000'001, '\x94'));
  EXPECT_THAT(error_of(memo), HasSubstr("remembers more than 1000000 values"));
}

/// The same, where it is time that they would take.
TEST(Pickles, LongWorkEndsInAnError) {
  PickleText calls;  // of a function that takes the first part of a long list alone
  calls.global("collections", "OrderedDict").raw("q\0]q\1("sv);
  for (int i = 0; i < 999'000; ++i) calls.raw("h\1"sv);
  calls.raw("tq\2"sv);
  for (int i = 0; i < 1'000'000; ++i) calls.raw("h\0h\2R"sv);
  EXPECT_THAT(error_of(calls), HasSubstr("more than 1000000 values"));
  PickleText looks;  // at a long dictionary that has many names
  looks.raw("}(").text("k").raw("}q\0("sv).raw(std::string(200'000, 'N')).raw("u");
  for (int i = 0; i < 50; ++i) looks.text("k").raw("h\0"sv);
  EXPECT_THAT(error_of(looks.raw("u.")), HasSubstr("too often"));
  PickleText name;  // of many, each as long as the file
  name.raw("}(").text(std::string(8'000'000, 'n')).raw("q\0}q\1"sv);
  for (int i = 0; i < 100'000; ++i) name.raw("h\0h\1"sv);
  EXPECT_THAT(error_of(name.raw("u.")), HasSubstr("a name has 8000000 characters"));
  PickleText names;  // of one tensor
  names.protocol().raw("}(").text("k").raw("}(").text("w").tensor("FloatStorage", "0", 1, {1}, {1}).raw("uq\0"sv);
  for (char level = 1; level < 16; ++level) {
    const std::string before{'h', static_cast<char>(level - 1)}, letters(250, 'n');
    names.text("k").raw("}(").text(letters + "a").raw(before).text(letters + "b").raw(before).raw("uq").raw({&level, 1});
  }
  EXPECT_THAT(error_of(names.raw("u.")), HasSubstr("the names of tensors have more than"));
}

TEST(Pickles, LongNamesAndManyAxesAreErrors) {
  const std::string longest(4096, 'n'), longer(4097, 'n');
  const auto with = [](const std::string& name, const std::string& key) {
    PickleText text;
    text.protocol().raw("}(").text(name).raw("}(").text("w").tensor("FloatStorage", key, 1, {1}, {1}).raw("uu.");
    return text;
  };
  EXPECT_EQ(torch_tensors(read(with(longest.substr(2), longest)), "").size(), 1u);
  EXPECT_THAT(error_of(with(longest, "0")), HasSubstr("a name has 4098 characters"));
  EXPECT_THAT(error_of(with(longer, "0")), HasSubstr("a name has 4097 characters"));
  EXPECT_THAT(error_of(with("n", longer)), HasSubstr("a storage's name has 4097 characters"));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { torch_storages(read(with("n", longer)), ""); }),
              HasSubstr("a storage's name has 4097 characters"));
  PickleText axes;
  axes.protocol().raw("}(").text("w").global("torch._utils", "_rebuild_tensor_v2").mark().storage("FloatStorage", "0", 1);
  axes.integer(0).mark();
  for (int i = 0; i < 65; ++i) axes.integer(1);
  EXPECT_THAT(error_of(axes.raw("tq\0h\0tRu."sv)), HasSubstr("w has 65 axes"));
}

}  // namespace
}  // namespace qfw
