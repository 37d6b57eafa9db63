#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>

#include "chain.h"
#include "draft.h"
#include "thresholds.h"

namespace qfw::codes {

namespace {

namespace json = boost::json;

class Activations {
 public:
  /// `codes` are read by `readers`, which agree on the grid, since one value is clipped to one.
  Activations(Draft& draft, Use codes, std::vector<const QuantizedSite*> readers, const Search& search)
      : draft_(draft), codes_(codes), readers_(std::move(readers)), search_(search), levels_(*readers_[0]->src.grid) {}

  json::object describe() {
    const Grid& grid = *readers_[0]->src.grid;
    std::vector<std::string> layers;
    json::array names;
    for (const QuantizedSite* reader : readers_) {
      layers.push_back(reader->path);
      names.emplace_back(reader->path);
    }
    about_ = {{"value", draft_.values.name(codes_)},
              {"read_by", std::move(names)},
              {"dtype", name_of(draft_.model.graph.type(codes_).dtype)},
              {"shape", draft_.shape_of(codes_)},
              {"grid", {{"low", grid.low}, {"high", grid.high}}},
              {"integers", {{"low", levels_.low}, {"high", levels_.high}, {"step", levels_.step}}},
              {"scale", scale()}};
    const std::string how = search_.on ? without_floats() : "none were asked for";
    search_.tell(fmt::format("{}, input: {}", fmt::join(layers, " and "), how));
    return std::move(about_);
  }

 private:
  /// How the codes follow from integers. For people.
  std::string without_floats() {
    const Chain chain(draft_.model.graph, draft_.constants, codes_);
    if (!chain.obstacle().empty()) return refused(chain.obstacle());
    return draft_.node(chain.source()).op == Op::input ? table(chain) : thresholds(chain);
  }

  std::string refused(const std::string& why) {
    about_["no_thresholds"] = why;
    return "no thresholds: " + why;
  }

  /// Null where no computation has kept it: a quantizer may multiply by something else.
  json::value scale() {
    const Use scale = readers_[0]->src.scale;
    return scale.node < 0 ? json::value(nullptr) : draft_.constant(scale, name("scale"));
  }

  std::string name(const std::string& role) const { return readers_[0]->path + "/src/" + role; }

  json::array pools(const Chain& chain) const {
    json::array names;
    for (const int pool : chain.pools()) names.emplace_back(draft_.values.name({pool, 0}));
    return names;
  }

  /// A code for each value of a pixel.
  std::string table(const Chain& chain) {
    if (!draft_.model.preparation) return refused("it is not known what becomes of a pixel");
    const auto tables = image::tables_of(*draft_.model.preparation);
    if (static_cast<std::int64_t>(tables.size()) != chain.channels())
      return refused("pictures have another number of channels");
    std::vector<float> prepared;  // [pixel][channel]
    for (std::size_t pixel = 0; pixel < 256; ++pixel) {
      for (const auto& of_channel : tables) prepared.push_back(of_channel[pixel]);
    }
    const std::vector<int> codes = chain.codes_of({{{256, chain.channels()}, DType::f32}, std::as_bytes(std::span(prepared))});
    std::vector<std::byte> bytes;  // [channel][pixel]
    for (std::size_t channel = 0; channel < tables.size(); ++channel) {
      for (std::size_t pixel = 0; pixel < 256; ++pixel)
        bytes.push_back(static_cast<std::byte>(codes[pixel * tables.size() + channel]));
    }
    const DType dtype = draft_.model.graph.type(codes_).dtype;
    // Other resizings give floats.
    const bool exact = draft_.model.preparation->fit == image::Preparation::Fit::exact ||
                       draft_.model.preparation->filter != image::Preparation::Filter::bicubic;
    about_["table"] = json::object{{"codes", draft_.add(name("table"), {{chain.channels(), 256}, dtype}, std::move(bytes))},
                                   {"exact", exact},
                                   {"then_pooled_by", pools(chain)}};
    return exact ? "a code for each pixel's value"
                 : "a code for each pixel's value, where evaluations have floats between them";
  }

  std::string thresholds(const Chain& chain) {
    const QuantizedSite& from = site_of(chain.source());
    const Node& matmul = draft_.node(chain.source());
    const bool padded = matmul.op == Op::conv2d && matmul.as<Conv2d>().padding != Padding{};
    const SumRange range(draft_.constants.value(matmul.inputs[1]), Levels(*from.src.grid), padded);
    const auto [found, obstacle] = find_thresholds(chain, range, levels_, search_.every_sum ? unlimited : usual_most);
    if (!obstacle.empty()) return refused(obstacle);
    const Shape channels{chain.channels()};
    about_["thresholds"] = json::object{
        {"layer", from.path},
        {"sums", draft_.values.name(chain.source())},
        {"direction", draft_.add(name("direction"), channels, found.direction)},
        {"at", draft_.add(name("thresholds"), {chain.channels(), levels_.count() - 1}, found.at)},
        {"then_pooled_by", pools(chain)},
        {"compared", {{"every_sum", found.every_sum}, {"sums", found.compared}}},
    };
    return fmt::format("{} thresholds on the sums of {}, compared for {}{}", levels_.count() - 1, from.path,
                       found.every_sum ? "every sum" : fmt::format("{} sums", found.compared),
                       chain.pools().empty() ? "" : "; codes are pooled");
  }

  const QuantizedSite& site_of(Use sums) const {
    return *std::ranges::find(draft_.model.graph.sites, sums, &QuantizedSite::matmul);
  }

  Draft& draft_;
  Use codes_;
  std::vector<const QuantizedSite*> readers_;
  const Search& search_;
  Levels levels_;
  json::object about_;
};

}  // namespace

json::array describe_activations(Draft& draft, const Search& search) {
  std::vector<std::pair<Use, std::vector<const QuantizedSite*>>> all;  // in the order of the first reader
  for (const QuantizedSite& site : draft.model.graph.sites) {
    if (site.matmul.node < 0) continue;
    const Use codes = draft.node(site.matmul).inputs[0];
    auto known = std::ranges::find(all, codes, &std::pair<Use, std::vector<const QuantizedSite*>>::first);
    if (known == all.end()) known = all.insert(all.end(), {codes, {}});
    known->second.push_back(&site);
  }
  json::array described;
  for (auto& [codes, readers] : all) described.push_back(Activations(draft, codes, std::move(readers), search).describe());
  return described;
}

}  // namespace qfw::codes
