# Writes OUTPUT, a C++ file that holds the bytes of FILES: see src/web/assets.hpp, which declares what it defines.
set(arrays "")
set(entries "")
set(number 0)
foreach(file ${FILES})
    get_filename_component(name ${file} NAME)
    file(READ ${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "const unsigned char FILE_${number}[] = {${bytes}};\n")
    string(APPEND entries
        "\t{\"${name}\", std::string_view(reinterpret_cast<const char *>(FILE_${number}), sizeof(FILE_${number}))},\n")
    math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "#include \"web/assets.hpp\"

namespace duckherder {

namespace {

${arrays}
} // namespace

const std::map<std::string, std::string_view> &Assets() {
\tstatic const std::map<std::string, std::string_view> FILES = {
${entries}\t};
\treturn FILES;
}

} // namespace duckherder
")
