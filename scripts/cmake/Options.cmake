# One INTERFACE library that every target of ours links; no global flags.
option(EMPEROR_WERROR "warnings are errors (presets only: never for packagers)" OFF)
option(EMPEROR_TESTS "build tests" OFF)
option(EMPEROR_FUZZ "build fuzz targets with libFuzzer (clang)" OFF)
set(EMPEROR_SANITIZE "" CACHE STRING "sanitizers, e.g. address,undefined")

add_library(emperor_options INTERFACE)
target_include_directories(emperor_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(emperor_options INTERFACE _GNU_SOURCE EMPEROR_VERSION="${PROJECT_VERSION}")
target_compile_options(emperor_options INTERFACE
	-Wall -Wextra -Wshadow -Wformat=2 -Wundef -Wvla -Wpointer-arith -Wwrite-strings -Wcast-qual
	-Wcast-align -Wstrict-prototypes -Wmissing-prototypes -Wdouble-promotion -Wimplicit-fallthrough
	-Wconversion -Wno-sign-conversion
	$<$<C_COMPILER_ID:GNU>:-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wrestrict>
	$<$<BOOL:${EMPEROR_WERROR}>:-Werror>
	-fstack-protector-strong -fstack-clash-protection -fno-strict-aliasing
	# C lets a compiler drop the check of a NULL that was already used; a supervisor keeps it.
	-fno-delete-null-pointer-checks)
target_link_options(emperor_options INTERFACE -Wl,-z,relro,-z,now,--as-needed)

if(EMPEROR_SANITIZE)
	target_compile_options(emperor_options INTERFACE
		-fsanitize=${EMPEROR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
	target_link_options(emperor_options INTERFACE -fsanitize=${EMPEROR_SANITIZE})
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
	target_compile_options(emperor_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
if(EMPEROR_FUZZ)
	target_compile_options(emperor_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
