# Writes OUTPUT, a C++ file with the text of HEADERS one after the other: what all device code begins with. `#pragma once` is left
# out, for there it stands in a main file.
set(text "")
foreach(header IN LISTS HEADERS)
  file(READ ${header} one)
  string(REGEX REPLACE "#pragma once\n" "" one "${one}")
  string(APPEND text "${one}\n")
endforeach()
# A literal may be 65,536 characters long.
set(literals "")
string(LENGTH "${text}" length)
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 part)
  string(APPEND literals "R\"device(${part})device\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE ${OUTPUT} "#include \"code.h\"\n\nnamespace qfw::cuda {\n\nstd::string_view device_headers() {\n  return ${literals};\n}\n\n}  // namespace qfw::cuda\n")
