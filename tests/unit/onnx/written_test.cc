#include "qfw/onnx/written.h"

#include <gmock/gmock.h>

#include "models.h"

namespace qfw::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string file_of(const FrozenModel& model, const Exporter::Notes& notes = {}, const onnx::WriteOptions& options = {}) {
  return onnx::write(model, notes, options);
}

TEST(OnnxWritten, GivesBackProvenanceAndNotesOfEveryForm) {
  const FrozenModel model = small_model();
  for (const onnx::Form form : {onnx::Form::exact, onnx::Form::qdq, onnx::Form::floating}) {
    const auto found = onnx::written(bytes_of(file_of(model, {{"options", "a=1\nb=2"}}, {.form = form})));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->provenance.qfw, "1.2.3");
    EXPECT_EQ(found->provenance.recipe, model.provenance.recipe);
    EXPECT_EQ(found->provenance.checkpoint, "00ff");
    EXPECT_EQ(found->provenance.step, 60);
    EXPECT_EQ(found->provenance.phase, "all");
    ASSERT_EQ(found->notes.size(), 2u);
    EXPECT_EQ(found->notes[0].first, "guarantee");
    EXPECT_EQ(found->notes[1], (std::pair<std::string, std::string>("options", "a=1\nb=2")));
    EXPECT_EQ(file_of(model, found->notes, {.form = form}), file_of(model, {{"options", "a=1\nb=2"}}, {.form = form}));
  }
}

TEST(OnnxWritten, KnowsNoOtherBytes) {
  const std::string file = file_of(small_model());
  EXPECT_FALSE(onnx::written({}));
  EXPECT_FALSE(onnx::written(bytes_of("no model")));
  EXPECT_FALSE(onnx::written(bytes_of(file).first(file.size() / 2)));
  Parts foreign(file);
  foreign.file.set_producer_name("pytorch");
  EXPECT_FALSE(onnx::written(bytes_of(foreign.file.SerializeAsString())));
  Parts bare(file);
  bare.file.clear_metadata_props();
  EXPECT_FALSE(onnx::written(bytes_of(bare.file.SerializeAsString())));
}

TEST(OnnxWritten, NamesTheFirstDifference) {
  const std::string file = file_of(small_model());
  const auto difference = [&](const auto& change) {
    Parts other(file);
    change(other.file);
    const std::string bytes = other.file.SerializeAsString();
    return onnx::difference(bytes_of(bytes), bytes_of(file)).what;
  };
  EXPECT_THAT(difference([](auto&) {}), IsEmpty());
  EXPECT_EQ(difference([](auto& model) { model.mutable_metadata_props(8)->set_value("[]"); }), "metadata qfw.labels differ");
  EXPECT_EQ(difference([](auto& model) { model.mutable_metadata_props()->RemoveLast(); }), "metadata qfw.grids are missing");
  EXPECT_EQ(difference([](auto& model) { model.add_metadata_props()->set_key("more"); }), "metadata more should not be there");
  EXPECT_THAT(difference([](auto& model) {
                for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
                  if (tensor.name() == "dense/weights/codes") (*tensor.mutable_raw_data())[0] ^= 1;
                }
              }),
              HasSubstr("initializer dense/weights/codes differs"));
  EXPECT_THAT(difference([](auto& model) { model.mutable_graph()->mutable_node()->RemoveLast(); }),
              HasSubstr("is not in its place"));
  EXPECT_THAT(difference([](auto& model) { model.mutable_graph()->mutable_node(1)->set_op_type("Erf"); }), HasSubstr("node "));
  EXPECT_THAT(difference([](auto& model) { *model.mutable_graph()->add_output() = model.graph().output(0); }),
              HasSubstr("output logits should not be there"));
  EXPECT_THAT(difference([](auto& model) { model.set_ir_version(4); }), HasSubstr("byte 1 of "));
}

}  // namespace
}  // namespace qfw::testing
