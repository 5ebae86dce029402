# Writes OUTPUT, a header with VERSION and the commit of SOURCE; leaves it alone if it says so already. A checkout with
# changes of its own has "-changed" behind the commit; what is no checkout has no commit.
cmake_minimum_required(VERSION 3.25)
set(commit "")
execute_process(
    COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
    OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(NOT failed)
    set(commit ${head})
    execute_process(
        COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
        OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT changes STREQUAL "")
        string(APPEND commit "-changed")
    endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#pragma once

#define DUCKHERDER_VERSION \"@VERSION@\"
#define DUCKHERDER_COMMIT \"@commit@\"
" @ONLY)
