# Third parties as imported SYSTEM targets, so that their headers raise no warnings of ours.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
if(EMPEROR_TESTS)
	pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# Debian's libev has no .pc file.
find_path(EV_INCLUDE_DIR ev.h REQUIRED)
find_library(EV_LIBRARY ev REQUIRED)
add_library(ev INTERFACE IMPORTED)
target_include_directories(ev SYSTEM INTERFACE ${EV_INCLUDE_DIR})
target_link_libraries(ev INTERFACE ${EV_LIBRARY})
