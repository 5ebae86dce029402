# duckherder_module(NAME [DUCKDB] [DEPENDS folder...] [LIBRARIES target...])
#
# The target duckherder_NAME for the folder src/NAME. DEPENDS lists the folders it may include, DUCKDB lets it include
# DuckDB's headers, which come precompiled. A folder without a .cpp file has nothing to compile, but can be linked.
function(duckherder_module name)
    cmake_parse_arguments(arg "DUCKDB" "" "DEPENDS;LIBRARIES" ${ARGN})
    set(target duckherder_${name})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    # The entry points belong to the products, see src/main/CMakeLists.txt.
    list(FILTER sources EXCLUDE REGEX "/src/main/(extension|duckherder)_main\\.cpp$")
    list(TRANSFORM arg_DEPENDS PREPEND duckherder_)
    if(arg_DUCKDB)
        list(APPEND arg_LIBRARIES duckdb)
        if(NOT name STREQUAL "compat")
            list(APPEND arg_LIBRARIES duckherder_compat)
        endif()
    endif()

    if(NOT sources)
        add_library(${target} INTERFACE)
        target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR}/src)
        target_link_libraries(${target} INTERFACE ${arg_DEPENDS} ${arg_LIBRARIES})
        return()
    endif()
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${arg_DEPENDS} ${arg_LIBRARIES})
    if(arg_DUCKDB)
        duckherder_use_duckdb_pch(${target})
    endif()
endfunction()

# DuckDB's headers take 7 s to parse, so one precompiled header is shared by everything that includes them.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/pch/pch.cpp CONTENT "// Exists only to own the precompiled header.\n")
add_library(duckherder_pch STATIC ${PROJECT_BINARY_DIR}/pch/pch.cpp)
target_link_libraries(duckherder_pch PUBLIC duckdb)
target_precompile_headers(duckherder_pch PRIVATE
    <algorithm> <atomic> <chrono> <condition_variable> <cstdint> <deque> <functional> <map> <memory> <mutex>
    <optional> <set> <sstream> <string> <thread> <unordered_map> <unordered_set> <utility> <variant> <vector>
    "<duckdb.hpp>"
    "<duckdb/catalog/catalog.hpp>"
    "<duckdb/common/serializer/binary_deserializer.hpp>"
    "<duckdb/common/serializer/binary_serializer.hpp>"
    "<duckdb/common/serializer/memory_stream.hpp>"
    "<duckdb/execution/physical_plan_generator.hpp>"
    "<duckdb/main/client_context.hpp>"
    "<duckdb/optimizer/optimizer.hpp>"
    "<duckdb/optimizer/optimizer_extension.hpp>"
    "<duckdb/parallel/task_scheduler.hpp>"
    "<duckdb/planner/expression/list.hpp>"
    "<duckdb/planner/operator/list.hpp>"
    "<duckdb/planner/operator/logical_extension_operator.hpp>")

function(duckherder_use_duckdb_pch target)
    target_precompile_headers(${target} REUSE_FROM duckherder_pch)
endfunction()
