#include "body.h"

#include "interpreter.h"
#if defined(QFW_CPU_X86_CODE)
#include "x86/compiled_body.h"
#endif

namespace qfw::cpu {

const std::vector<BodyKind>& body_kinds() {
  static const std::vector<BodyKind> kinds = [] {
    std::vector<BodyKind> all;
#if defined(QFW_CPU_X86_CODE)
    for (const x86::Level level : x86::levels()) {
      all.push_back({x86::name_of(level), [level](const lowering::FusedProgram& program, std::string& why) {
                       return x86::CompiledBody::make(program, level, why);
                     }});
    }
#endif
    all.push_back({"interpreter", [](const lowering::FusedProgram& program, std::string&) -> std::unique_ptr<TileBody> {
                     return std::make_unique<Interpreter>(program);
                   }});
    return all;
  }();
  return kinds;
}

}  // namespace qfw::cpu
