# duckherder_test_suite(NAME [DUCKDB] MODULES folder...)
#
# All .cpp files of a test folder as one GoogleTest program, NAME_tests. Not part of the default build, so that `make`
# does not need GoogleTest; `make test` builds the target test_programs.
find_package(GTest QUIET)

add_custom_target(test_programs)
if(NOT GTest_FOUND)
    add_custom_target(googletest_is_missing
        COMMAND ${CMAKE_COMMAND} -E echo "GoogleTest is missing: install the Debian package libgtest-dev"
        COMMAND ${CMAKE_COMMAND} -E false)
    add_dependencies(test_programs googletest_is_missing)
endif()

function(duckherder_test_suite name)
    cmake_parse_arguments(arg "DUCKDB" "" "MODULES" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    if(NOT sources OR NOT GTest_FOUND)
        return()
    endif()
    set(target ${name}_tests)
    list(TRANSFORM arg_MODULES PREPEND duckherder_)
    add_executable(${target} EXCLUDE_FROM_ALL ${sources})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/test)
    target_link_libraries(${target} PRIVATE ${arg_MODULES} GTest::gtest GTest::gtest_main Threads::Threads)
    if(arg_DUCKDB)
        duckherder_use_duckdb_pch(${target})
    endif()
    add_dependencies(test_programs ${target})
    # the longest take 10 seconds, or 120 with ThreadSanitizer
    set(seconds 120)
    if(CMAKE_BUILD_TYPE STREQUAL Tsan)
        set(seconds 900)
    endif()
    include(GoogleTest)
    # PRE_TEST: asking a freshly linked program for its tests while others still build only slows the build.
    gtest_discover_tests(${target} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
        PROPERTIES TIMEOUT ${seconds})
endfunction()
