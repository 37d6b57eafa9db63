# Run at every build: cmake -DSOURCE=folder -DVERSION=text -DINPUT=version.cc.in -DOUTPUT=version.cc -P QfwVersion.cmake
# Writes version and commit into OUTPUT, which stays as it is where they are what they were.
set(QFW_VERSION_TEXT ${VERSION})
find_program(GIT git)

# git(RESULT argument...): what git says of the tree, whoever owns it; empty if it fails.
function(git result)
  execute_process(COMMAND ${GIT} -c safe.directory=${SOURCE} -C ${SOURCE} ${ARGN}
                  OUTPUT_VARIABLE text OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    set(text "")
  endif()
  set(${result} "${text}" PARENT_SCOPE)
endfunction()

# Only a repository of its own counts, not one that an unpacked archive happens to lie in.
if(GIT AND EXISTS ${SOURCE}/.git)
  git(commit rev-parse --short=7 HEAD)
  if(commit)
    git(changes --no-optional-locks status --porcelain --untracked-files=no)
    if(changes)
      string(APPEND commit ", modified")
    endif()
    string(APPEND QFW_VERSION_TEXT " (${commit})")
  endif()
endif()
configure_file(${INPUT} ${OUTPUT} @ONLY)
