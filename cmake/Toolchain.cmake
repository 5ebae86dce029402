# Compiler and linker settings for all our code.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# Only the extension's entry point may be visible: the process that loads it has its own DuckDB, maybe its own Arrow.
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)

# No NDEBUG in Release: our own assertions are cheap and stay on.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g")
# Without recovery a finding of UndefinedBehaviorSanitizer ends the program, and so fails a test.
set(ubsan_checks "undefined,float-cast-overflow")
set(asan_sanitizers "-fsanitize=address,${ubsan_checks} -fno-sanitize-recover=${ubsan_checks}")
set(CMAKE_CXX_FLAGS_ASAN "-O1 -g1 -fno-omit-frame-pointer ${asan_sanitizers}")
set(CMAKE_EXE_LINKER_FLAGS_ASAN "${asan_sanitizers}")
set(CMAKE_SHARED_LINKER_FLAGS_ASAN "${asan_sanitizers}")
set(CMAKE_CXX_FLAGS_TSAN "-O1 -g1 -fno-omit-frame-pointer -fsanitize=thread")
set(CMAKE_EXE_LINKER_FLAGS_TSAN "-fsanitize=thread")
set(CMAKE_SHARED_LINKER_FLAGS_TSAN "-fsanitize=thread")
# For clang: see docs/fuzzing.md. vptr and function ask for type information that libduckdb keeps to itself.
set(fuzz_sanitizers "-fsanitize=address,undefined -fno-sanitize=vptr,function -fno-sanitize-recover=undefined")
set(CMAKE_CXX_FLAGS_FUZZ "-O1 -g -fno-omit-frame-pointer ${fuzz_sanitizers} -fsanitize=fuzzer-no-link")
set(CMAKE_EXE_LINKER_FLAGS_FUZZ "${fuzz_sanitizers}")
set(CMAKE_SHARED_LINKER_FLAGS_FUZZ "${fuzz_sanitizers}")

# Every folder ends up in the extension, a shared library. CMake's own property would compile the programs with -fPIE,
# and a precompiled header serves only one of the two.
add_compile_options(-fPIC -Wall -Wextra -fdiagnostics-color=auto)

# A warning that is only printed is read by nobody. Not with sanitizers, whose code makes gcc warn of what is not there;
# for another compiler than ours: -DCMAKE_COMPILE_WARNING_AS_ERROR=OFF.
if(CMAKE_BUILD_TYPE MATCHES "^(Release|Debug)$" AND NOT DEFINED CMAKE_COMPILE_WARNING_AS_ERROR)
    set(CMAKE_COMPILE_WARNING_AS_ERROR ON)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # gcc 12 takes std::string's own code, once it is inlined into ours, for an overlap or an overflow; 13 does not.
    add_compile_options(-Wno-error=array-bounds -Wno-error=restrict)
endif()

find_program(DUCKHERDER_MOLD mold)
if(DUCKHERDER_MOLD)
    add_link_options(-fuse-ld=mold)
endif()

find_program(DUCKHERDER_CCACHE ccache)
if(DUCKHERDER_CCACHE)
    # Without these ccache refuses every file that is compiled with a precompiled header.
    set(sloppiness CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env ${sloppiness} ${DUCKHERDER_CCACHE})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
        add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
    else()
        add_compile_options(-fpch-preprocess)
    endif()
endif()
