#include "io/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "io/weights_reader.h"
#include "qfw/error.h"

namespace qfw {

namespace {

constexpr std::size_t most_nodes = 1'000'000, most_items = 4'000'000, longest_line = 256;
constexpr int newest_protocol = 5;
constexpr const char* ordered_dictionary = "collections.OrderedDict";

/// Instructions, by the names of Python's pickletools.
enum Op : std::uint8_t {
  MARK = '(',
  STOP = '.',
  BINFLOAT = 'G',
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  NONE = 'N',
  BINPERSID = 'Q',
  REDUCE = 'R',
  BINSTRING = 'T',
  SHORT_BINSTRING = 'U',
  BINUNICODE = 'X',
  APPEND = 'a',
  BUILD = 'b',
  GLOBAL = 'c',
  APPENDS = 'e',
  BINGET = 'h',
  LONG_BINGET = 'j',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  SETITEM = 's',
  TUPLE = 't',
  SETITEMS = 'u',
  EMPTY_LIST = ']',
  EMPTY_TUPLE = ')',
  EMPTY_DICT = '}',
  PROTO = 0x80,
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  LONG1 = 0x8a,
  SHORT_BINUNICODE = 0x8c,
  STACK_GLOBAL = 0x93,
  MEMOIZE = 0x94,
  FRAME = 0x95,
};

/// What those that are refused would do.
const char* meaning_of(std::uint8_t op) {
  switch (op) {
    case 'i':
    case 'o':
    case 0x81:
    case 0x92:
      return "make an object of a class";
    case 0x82:
    case 0x83:
    case 0x84:
      return "look up a registered class";
    case 'P':
      return "refer to something outside by a line of text";
    case 'F':
    case 'I':
    case 'L':
    case 'S':
    case 'V':
    case 'd':
    case 'g':
    case 'l':
    case 'p':
      return "go back to the text form of the first protocol";
    default:
      return nullptr;
  }
}

}  // namespace

class Unpickler {
 public:
  Unpickler(Pickle& to, std::span<const std::byte> bytes, std::span<const std::string_view> names, std::string_view place)
      : to_(to), bytes_(bytes), names_(names), place_(place) {}

  void run() {
    for (;;) {
      op_at_ = at_;
      const auto op = static_cast<std::uint8_t>(take(1)[0]);
      if (op == STOP) break;
      step(op);
    }
    if (stack_.size() != 1 || !marks_.empty()) damaged("it ends with other than one value");
    to_.root_ = stack_.front();
    to_.size_ = at_;
  }

 private:
  using Node = Pickle::Node;
  using Kind = Node::Kind;
  using Index = Pickle::Index;

  [[noreturn]] void damaged(std::string_view what) const {
    fail(Error::Category::data, weights_tag, fmt::format("of the pickle, at byte {}: {}", op_at_, what), place_,
         "the file is damaged, cut short or hostile: get or make it again");
  }
  [[noreturn]] void refuse(std::string_view what) const {
    fail(Error::Category::data, weights_tag,
         fmt::format("the pickle would {} (byte {}), which weights do not need", what, op_at_), place_,
         "nothing of it was run; have its maker save the model's state_dict() alone, or use safetensors");
  }

  std::span<const std::byte> take(std::uint64_t count) {
    if (count > bytes_.size() - at_) damaged("it is cut short");
    const auto part = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += part.size();
    return part;
  }
  template <class T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text(std::uint64_t count) {
    const auto part = take(count);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }
  std::string line() {
    const auto rest = bytes_.subspan(at_, std::min(bytes_.size() - at_, longest_line));
    const auto end = std::ranges::find(rest, std::byte{'\n'});
    if (end == rest.end()) damaged("a name does not end");
    std::string result = text(static_cast<std::uint64_t>(end - rest.begin()));
    take(1);
    return result;
  }

  void push(Index node) {
    if (stack_.size() >= most_nodes) damaged(fmt::format("it stacks more than {} values", most_nodes));
    stack_.push_back(node);
  }
  void push(Node node) {
    if (to_.nodes_.size() >= most_nodes) damaged(fmt::format("it has more than {} values", most_nodes));
    count_items(node.items.size());
    to_.nodes_.push_back(std::move(node));
    push(static_cast<Index>(to_.nodes_.size() - 1));
  }
  void count_items(std::size_t more) {
    items_ += more;
    if (items_ > most_items) damaged(fmt::format("its lists have more than {} parts", most_items));
  }
  void push_integer(std::int64_t value, Kind kind = Kind::integer) { push(Node{.kind = kind, .integer = value}); }
  void push_text(std::string value, Kind kind = Kind::text) { push(Node{.kind = kind, .text = std::move(value)}); }

  /// What lies above the last mark belongs to it.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Index top() const {
    if (stack_.size() <= floor()) damaged("it takes a value where there is none");
    return stack_.back();
  }
  Index pop() {
    const Index result = top();
    stack_.pop_back();
    return result;
  }
  std::vector<Index> pop_last(std::size_t count) {
    if (stack_.size() - floor() < count) damaged("it takes a value where there is none");
    std::vector<Index> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }
  std::vector<Index> pop_to_mark() {
    if (marks_.empty()) damaged("it goes back to a mark that was never set");
    std::vector<Index> items = pop_last(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  void add(Kind to, std::vector<Index> items) {
    Node& node = to_.nodes_[top()];
    if (node.kind != to) damaged("it adds to something that is no collection");
    if (to == Kind::mapping && items.size() % 2 != 0) damaged("a dictionary has a key without a value");
    count_items(items.size());
    node.items.insert(node.items.end(), items.begin(), items.end());
  }

  void name(const std::string& module, const std::string& member) {
    std::string whole = module + "." + member;
    if (std::ranges::find(names_, whole) == names_.end()) refuse(fmt::format("use {}", whole));
    push_text(std::move(whole), Kind::name);
  }

  void call() {
    const Node& arguments = to_.nodes_[pop()];  // no copy: what is not taken over is not counted
    const Node& function = to_.nodes_[pop()];
    if (function.kind != Kind::name) damaged("it calls something that is no function");
    if (arguments.kind != Kind::sequence) damaged(fmt::format("it calls {} with no list of arguments", function.text));
    if (function.text == ordered_dictionary) {
      push(Node{.kind = Kind::mapping, .items = pairs(arguments)});
    } else {
      push(Node{.kind = Kind::call, .text = function.text, .items = arguments.items});
    }
  }
  /// The arguments of a dictionary: nothing, or a list of pairs.
  std::vector<Index> pairs(const Node& arguments) const {
    std::vector<Index> items;
    if (arguments.items.empty()) return items;
    for (const Index pair : to_.nodes_[arguments.items[0]].items) {
      const Node& node = to_.nodes_[pair];
      if (node.kind != Kind::sequence || node.items.size() != 2) damaged("a dictionary is made of other than pairs");
      items.insert(items.end(), node.items.begin(), node.items.end());
    }
    return items;
  }

  void integer_of(std::size_t count) {
    std::string digits = text(count);
    if (count > sizeof(std::int64_t)) return push_text(std::move(digits), Kind::huge);
    std::uint64_t value = count > 0 && (digits.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    std::memcpy(&value, digits.data(), count);
    push_integer(static_cast<std::int64_t>(value));
  }

  void put(std::uint32_t key) {
    if (memo_.size() >= most_nodes) damaged(fmt::format("it remembers more than {} values", most_nodes));
    memo_[key] = top();
  }
  void get(std::uint32_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) damaged("it recalls what it never remembered");
    push(found->second);
  }

  void step(std::uint8_t op) {
    switch (op) {
      case PROTO:
        if (const int protocol = number<std::uint8_t>(); protocol > newest_protocol) {
          damaged(fmt::format("protocol {} is newer than {}", protocol, newest_protocol));
        }
        return;
      case FRAME:
        take(sizeof(std::uint64_t));
        return;
      case MARK:
        if (marks_.size() >= most_nodes) damaged("it has too many marks");
        marks_.push_back(stack_.size());
        return;
      case NONE:
        return push(Node{});
      case NEWTRUE:
      case NEWFALSE:
        return push_integer(op == NEWTRUE, Kind::boolean);
      case BININT:
        return push_integer(number<std::int32_t>());
      case BININT1:
        return push_integer(number<std::uint8_t>());
      case BININT2:
        return push_integer(number<std::uint16_t>());
      case LONG1:
        return integer_of(number<std::uint8_t>());
      case BINFLOAT:
        return push(Node{.kind = Kind::real, .real = std::bit_cast<double>(__builtin_bswap64(number<std::uint64_t>()))});
      case BINUNICODE:
      case BINSTRING:
        return push_text(text(number<std::uint32_t>()));
      case SHORT_BINUNICODE:
      case SHORT_BINSTRING:
        return push_text(text(number<std::uint8_t>()));
      case EMPTY_LIST:
      case EMPTY_TUPLE:
        return push(Node{.kind = Kind::sequence});
      case EMPTY_DICT:
        return push(Node{.kind = Kind::mapping});
      case TUPLE:
        return push(Node{.kind = Kind::sequence, .items = pop_to_mark()});
      case TUPLE1:
      case TUPLE2:
      case TUPLE3:
        return push(Node{.kind = Kind::sequence, .items = pop_last(static_cast<std::size_t>(op - TUPLE1 + 1))});
      case APPEND:
        return add(Kind::sequence, pop_last(1));
      case APPENDS:
        return add(Kind::sequence, pop_to_mark());
      case SETITEM:
        return add(Kind::mapping, pop_last(2));
      case SETITEMS:
        return add(Kind::mapping, pop_to_mark());
      case BUILD:  // attributes of a dictionary: PyTorch's record of versions
        pop();
        if (to_.nodes_[top()].kind != Kind::mapping) refuse("set attributes of an object");
        return;
      case GLOBAL: {
        const std::string module = line();
        return name(module, line());
      }
      case STACK_GLOBAL: {
        const Node member = to_.nodes_[pop()], module = to_.nodes_[pop()];
        if (member.kind != Kind::text || module.kind != Kind::text) damaged("a name is no text");
        return name(module.text, member.text);
      }
      case REDUCE:
        return call();
      case BINPERSID:
        return push(Node{.kind = Kind::reference, .items = {pop()}});
      case MEMOIZE:
        return put(static_cast<std::uint32_t>(memo_.size()));
      case BINPUT:
        return put(number<std::uint8_t>());
      case LONG_BINPUT:
        return put(number<std::uint32_t>());
      case BINGET:
        return get(number<std::uint8_t>());
      case LONG_BINGET:
        return get(number<std::uint32_t>());
      default:
        if (const char* meaning = meaning_of(op)) refuse(meaning);
        damaged(fmt::format("there is no instruction 0x{:02x} among those that weights need", op));
    }
  }

  Pickle& to_;
  std::span<const std::byte> bytes_;
  std::span<const std::string_view> names_;
  std::string_view place_;
  std::size_t at_ = 0, op_at_ = 0, items_ = 0;
  std::vector<Index> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint32_t, Index> memo_;
};

Pickle::Pickle(std::span<const std::byte> bytes, std::span<const std::string_view> names, std::string_view place) {
  Unpickler(*this, bytes, names, place).run();
}

}  // namespace qfw
