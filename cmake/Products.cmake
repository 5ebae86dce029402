# What `make` is for: the loadable extension, the duckherder program and a shell with the extension loaded, all in the
# build directory, with the shared libraries they need in lib/.

set(out ${PROJECT_BINARY_DIR})
set(footer ${PROJECT_SOURCE_DIR}/scripts/append_footer.py)

file(MAKE_DIRECTORY ${out}/lib)
if(NOT DUCKHERDER_LINKS_PYTHON_MODULE)
    set(linked_duckdb ${DUCKHERDER_LIBDUCKDB})
endif()
foreach(library ${linked_duckdb} ${DUCKHERDER_DEPS}/arrow/lib/libarrow.so.2600
        ${DUCKHERDER_DEPS}/arrow/lib/libarrow_flight.so.2600)
    get_filename_component(name ${library} NAME)
    file(CREATE_LINK ${library} ${out}/lib/${name} SYMBOLIC)
endforeach()

# A product finds its libraries beside itself wherever it is copied to; CMake would put the build's own paths there.
set(CMAKE_BUILD_WITH_INSTALL_RPATH ON)
set(CMAKE_INSTALL_RPATH $ORIGIN/lib)
if(DUCKHERDER_LINKS_PYTHON_MODULE)
    # The very file that Python has loaded: the same file under another path would be a second DuckDB in the process.
    get_filename_component(module_directory ${DUCKHERDER_LIBDUCKDB} DIRECTORY)
    list(APPEND CMAKE_INSTALL_RPATH ${module_directory})
endif()

if(EXISTS ${PROJECT_SOURCE_DIR}/src/main/extension_main.cpp)
    add_library(duckherder_extension_library MODULE extension_main.cpp)
    target_link_libraries(duckherder_extension_library PRIVATE duckherder_main)
    duckherder_use_duckdb_pch(duckherder_extension_library)
    # -Bsymbolic: what we define is what we call, whatever else the loading process exports under the same name.
    target_link_options(duckherder_extension_library PRIVATE -Wl,-Bsymbolic -Wl,--exclude-libs,ALL -Wl,-z,defs)
    set_target_properties(duckherder_extension_library PROPERTIES PREFIX "" OUTPUT_NAME duckherder)
    add_custom_command(
        OUTPUT ${out}/duckherder.duckdb_extension
        COMMAND ${footer} $<TARGET_FILE:duckherder_extension_library> ${out}/duckherder.duckdb_extension
            --version ${PROJECT_VERSION} --duckdb-version ${DUCKHERDER_DUCKDB_VERSION}
        DEPENDS duckherder_extension_library ${footer}
        COMMENT "Writing duckherder.duckdb_extension"
        VERBATIM)
    add_custom_target(duckherder_extension_file ALL DEPENDS ${out}/duckherder.duckdb_extension)
    # The same for the Python package, whose process has DuckDB and Arrow already; without debug information.
    add_library(duckherder_python_library MODULE EXCLUDE_FROM_ALL extension_main.cpp)
    target_link_libraries(duckherder_python_library PRIVATE duckherder_main)
    duckherder_use_duckdb_pch(duckherder_python_library)
    target_link_options(duckherder_python_library PRIVATE -Wl,-Bsymbolic -Wl,--exclude-libs,ALL -Wl,--strip-all)
    set_target_properties(duckherder_python_library PROPERTIES
        PREFIX "" OUTPUT_NAME duckherder_python USES_DUCKDB_OF_HOST ON INSTALL_RPATH "")
    add_custom_command(
        OUTPUT ${out}/python/duckherder.duckdb_extension
        COMMAND ${CMAKE_COMMAND} -E make_directory ${out}/python
        COMMAND ${footer} $<TARGET_FILE:duckherder_python_library> ${out}/python/duckherder.duckdb_extension
            --version ${PROJECT_VERSION} --duckdb-version ${DUCKHERDER_DUCKDB_VERSION}
        DEPENDS duckherder_python_library ${footer}
        COMMENT "Writing python/duckherder.duckdb_extension"
        VERBATIM)
    add_custom_target(python_extension DEPENDS ${out}/python/duckherder.duckdb_extension)
    if(CMAKE_BUILD_TYPE STREQUAL "Asan")
        # The stock shell is not compiled with AddressSanitizer, so its runtime has to come first by other means.
        execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libasan.so OUTPUT_VARIABLE runtime
            OUTPUT_STRIP_TRAILING_WHITESPACE)
        set(launch_environment "ASAN_OPTIONS=detect_leaks=0:$ASAN_OPTIONS LD_PRELOAD='${runtime}' ")
    endif()
    configure_file(${PROJECT_SOURCE_DIR}/cmake/duckdb.sh.in ${out}/duckdb @ONLY
        FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endif()

# A program cannot be linked with a Python module, which wants the symbols of a Python.
if(EXISTS ${PROJECT_SOURCE_DIR}/src/main/duckherder_main.cpp AND NOT DUCKHERDER_LINKS_PYTHON_MODULE)
    add_executable(duckherder duckherder_main.cpp)
    target_link_libraries(duckherder PRIVATE duckherder_main)
    duckherder_use_duckdb_pch(duckherder)
    # Looked at by each build, since a commit makes no file that CMake would see; written only when it says something
    # else.
    set(generated ${out}/generated)
    add_custom_target(duckherder_version
        COMMAND ${CMAKE_COMMAND} -D SOURCE=${PROJECT_SOURCE_DIR} -D VERSION=${PROJECT_VERSION}
            -D OUTPUT=${generated}/duckherder_version.hpp -P ${PROJECT_SOURCE_DIR}/cmake/WriteVersion.cmake
        BYPRODUCTS ${generated}/duckherder_version.hpp
        COMMENT "" VERBATIM)
    add_dependencies(duckherder duckherder_version)
    target_include_directories(duckherder PRIVATE ${generated})
    set_target_properties(duckherder PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${out})
endif()
