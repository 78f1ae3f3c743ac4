# Third parties as imported SYSTEM targets, so that their headers raise no warnings of ours.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
if(EMPEROR_TESTS)
	pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# Static: an app without routes never touches their pages, and a front more library costs each front relocations.
function(static_library target header)
	find_path(${target}_INCLUDE_DIR ${header} REQUIRED)
	find_library(${target}_LIBRARY ${ARGN} REQUIRED)
	add_library(${target} INTERFACE IMPORTED)
	target_include_directories(${target} SYSTEM INTERFACE ${${target}_INCLUDE_DIR})
	target_link_libraries(${target} INTERFACE ${${target}_LIBRARY})
endfunction()
static_library(pcre2 pcre2.h libpcre2-8.a)
static_library(crypt crypt.h libcrypt.a)

# Debian's libev has no .pc file.
find_path(EV_INCLUDE_DIR ev.h REQUIRED)
find_library(EV_LIBRARY ev REQUIRED)
add_library(ev INTERFACE IMPORTED)
target_include_directories(ev SYSTEM INTERFACE ${EV_INCLUDE_DIR})
target_link_libraries(ev INTERFACE ${EV_LIBRARY})
