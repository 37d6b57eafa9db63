# cmake -DOUTPUT=FILE.cc -DFRAME=FILE -DSTYLES=FILE;... -DSCRIPTS=FILE;... -P embed.cmake
# Writes the files as string literals, each with its SHA-256, into the source that defines what assets.h declares.
set(delimiter QFW_ASSET)

# The bytes as they stand in the page between the tags, and the digest that the page's policy names: a line break at either end is part.
function(append_asset file)
  file(READ ${file} text)
  if(text MATCHES "\r|\\)${delimiter}\"" OR (NOT file STREQUAL FRAME AND text MATCHES "</script|</style|<!--"))
    message(FATAL_ERROR "${file} holds something that would end its element in a page, or its literal")
  endif()
  file(SHA256 ${file} digest)
  cmake_path(GET file FILENAME name)
  file(APPEND ${OUTPUT}.new "    {\"${name}\", R\"${delimiter}(${text})${delimiter}\", \"${digest}\"},\n")
endfunction()

file(WRITE ${OUTPUT}.new "// Made by viewer/embed.cmake.\n#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n#include \"viewer/assets.h\"\n\nnamespace qfw::viewer {\n\nnamespace {\n\n")
foreach(kind FRAME STYLES SCRIPTS)
  string(TOLOWER ${kind} lower)
  file(APPEND ${OUTPUT}.new "constexpr Asset ${lower}_files[] = {\n")
  foreach(file IN LISTS ${kind})
    append_asset(${file})
  endforeach()
  file(APPEND ${OUTPUT}.new "};\n\n")
endforeach()
file(APPEND ${OUTPUT}.new "}  // namespace\n\n")
file(APPEND ${OUTPUT}.new "std::string_view frame() { return frame_files[0].text; }\n")
file(APPEND ${OUTPUT}.new "std::span<const Asset> styles() { return styles_files; }\n")
file(APPEND ${OUTPUT}.new "std::span<const Asset> scripts() { return scripts_files; }\n\n}  // namespace qfw::viewer\n")
file(RENAME ${OUTPUT}.new ${OUTPUT})
