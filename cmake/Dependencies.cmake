# The prebuilt parts as imported targets. Their headers are system headers: their warnings are not ours to fix.

if(DUCKHERDER_DUCKDB_VERSION STREQUAL "1.5.5")
    set(DUCKHERDER_DUCKDB_SOURCE ${DUCKHERDER_DEPS}/duckdb)
    set(pinned_library ${DUCKHERDER_DEPS}/libduckdb/libduckdb.so)
else()
    # Nobody publishes a libduckdb of this version: the Python package's own module exports the same symbols.
    set(DUCKHERDER_DUCKDB_SOURCE ${DUCKHERDER_DEPS}/duckdb-${DUCKHERDER_DUCKDB_VERSION})
    file(GLOB pinned_library
        ${DUCKHERDER_DEPS}/venv-${DUCKHERDER_DUCKDB_VERSION}/lib/python3*/site-packages/_duckdb.*.so)
    set(DUCKHERDER_LINKS_PYTHON_MODULE ON)
endif()
if(NOT DUCKHERDER_LIBDUCKDB)
    set(DUCKHERDER_LIBDUCKDB ${pinned_library})
endif()

foreach(part "${DUCKHERDER_LIBDUCKDB}" ${DUCKHERDER_DUCKDB_SOURCE}/src/include/duckdb.hpp
        ${DUCKHERDER_DEPS}/arrow/lib/libarrow.so)
    if(NOT EXISTS "${part}")
        message(FATAL_ERROR "'${part}' is missing: run `make`, which fetches it, or scripts/fetch.py build")
    endif()
endforeach()

find_package(Threads REQUIRED)

add_library(libduckdb SHARED IMPORTED GLOBAL)
get_filename_component(library_name ${DUCKHERDER_LIBDUCKDB} NAME)
set_target_properties(libduckdb PROPERTIES IMPORTED_LOCATION ${DUCKHERDER_LIBDUCKDB} IMPORTED_SONAME ${library_name})
if(DUCKHERDER_LINKS_PYTHON_MODULE)
    # What the module itself needs of Python comes from the process that loads it.
    target_link_options(libduckdb INTERFACE -Wl,--allow-shlib-undefined)
endif()
# A target with USES_DUCKDB_OF_HOST finds DuckDB's symbols in the process that loads it, and brings no second copy.
add_library(duckdb INTERFACE)
target_link_libraries(duckdb INTERFACE "$<$<NOT:$<BOOL:$<TARGET_PROPERTY:USES_DUCKDB_OF_HOST>>>:libduckdb>")
target_include_directories(duckdb SYSTEM INTERFACE ${DUCKHERDER_DUCKDB_SOURCE}/src/include)
string(REGEX MATCH "^[0-9]+" duckdb_major ${DUCKHERDER_DUCKDB_VERSION})
target_compile_definitions(duckdb INTERFACE DUCKHERDER_DUCKDB_MAJOR=${duckdb_major})
if(duckdb_major LESS 2)
    # Before DuckDB's own headers: copies of some of them, with the names that 2.0 gave to what they hold.
    set(names ${PROJECT_SOURCE_DIR}/src/compat/names_of_2_0.txt)
    set(renamed ${PROJECT_BINARY_DIR}/duckdb-headers)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${names} ${PROJECT_SOURCE_DIR}/scripts/add_names.py)
    execute_process(COMMAND ${PROJECT_SOURCE_DIR}/scripts/add_names.py ${names} ${DUCKHERDER_DUCKDB_SOURCE}/src/include
        ${renamed} COMMAND_ERROR_IS_FATAL ANY)
    target_include_directories(duckdb SYSTEM BEFORE INTERFACE ${renamed})
endif()
if(duckdb_major GREATER_EQUAL 2)
    # Headers of 2.0 name those of fmt.
    target_include_directories(duckdb SYSTEM INTERFACE ${DUCKHERDER_DUCKDB_SOURCE}/third_party/fmt/include)
    # Much of what 2.0 calls deprecated is all that 1.5 has.
    target_compile_options(duckdb INTERFACE -Wno-deprecated-declarations)
endif()
if(DUCKHERDER_FORCE_ASSERT)
    target_compile_definitions(duckdb INTERFACE DUCKDB_FORCE_ASSERT)
endif()

# The Parquet reader of libduckdb: its headers are those of an extension, and name those of the libraries below it.
add_library(duckdb_parquet INTERFACE)
target_link_libraries(duckdb_parquet INTERFACE duckdb)
target_include_directories(duckdb_parquet SYSTEM INTERFACE ${DUCKHERDER_DUCKDB_SOURCE}/extension/parquet/include)
foreach(library parquet thrift lz4 snappy brotli/include zstd/include fastpforlib)
    target_include_directories(duckdb_parquet SYSTEM INTERFACE ${DUCKHERDER_DUCKDB_SOURCE}/third_party/${library})
endforeach()

# DuckDB's copies of an HTTP server (a header) and of a JSON library, whose code is in libduckdb.
add_library(duckdb_httplib INTERFACE)
target_link_libraries(duckdb_httplib INTERFACE duckdb)
target_include_directories(duckdb_httplib SYSTEM INTERFACE ${DUCKHERDER_DUCKDB_SOURCE}/third_party/httplib)
add_library(duckdb_yyjson INTERFACE)
target_link_libraries(duckdb_yyjson INTERFACE duckdb)
target_include_directories(duckdb_yyjson SYSTEM INTERFACE ${DUCKHERDER_DUCKDB_SOURCE}/third_party/yyjson/include)

add_library(arrow SHARED IMPORTED GLOBAL)
set_target_properties(arrow PROPERTIES
    IMPORTED_LOCATION ${DUCKHERDER_DEPS}/arrow/lib/libarrow.so.2600 IMPORTED_SONAME libarrow.so.2600)
target_include_directories(arrow SYSTEM INTERFACE ${DUCKHERDER_DEPS}/arrow/include)

add_library(arrow_flight SHARED IMPORTED GLOBAL)
set_target_properties(arrow_flight PROPERTIES
    IMPORTED_LOCATION ${DUCKHERDER_DEPS}/arrow/lib/libarrow_flight.so.2600 IMPORTED_SONAME libarrow_flight.so.2600)
target_link_libraries(arrow_flight INTERFACE arrow)
