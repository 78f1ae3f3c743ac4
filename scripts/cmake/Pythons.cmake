# Finds the interpreters that can be embedded: the system's python3.X in /usr/bin that has headers and a library.
# PATH is not asked: another python3 (a version manager's) may stand first there.
#
# Result: EMPEROR_PYTHONS, a list of X.Y, and for each EMPEROR_PYTHON_<X.Y>_{EXECUTABLE,INCLUDE,LINK,STATIC}.
# The link line comes from the interpreter's own sysconfig (LIBPL, LIBRARY, MODLIBS, LIBS): python3-config --embed
# names the shared library, which costs 14 to 24 % more CPU than the static one.
set(EMPEROR_PYTHON_VERSIONS 3.9 3.10 3.11 3.12 3.13 CACHE STRING "versions of Python to look for")
set(EMPEROR_PYTHON_PREFIX /usr CACHE PATH "where the system's Pythons are")
set(EMPEROR_PYTHONS "")

set(_python_query [[
import os, sys, sysconfig
g = sysconfig.get_config_var
static = os.path.join(g("LIBPL"), g("LIBRARY"))
inc = sysconfig.get_paths()["include"]
print(inc if os.path.exists(os.path.join(inc, "Python.h")) else "")
print(static if os.path.exists(static) else "")
print(os.path.join(g("LIBDIR"), g("LDLIBRARY")))
print(" ".join(x for x in (g("LIBS"), g("SYSLIBS"), g("MODLIBS")) if x))
]])

foreach(version ${EMPEROR_PYTHON_VERSIONS})
	set(exe ${EMPEROR_PYTHON_PREFIX}/bin/python${version})
	if(NOT EXISTS ${exe})
		continue()
	endif()
	execute_process(COMMAND ${exe} -I -c "${_python_query}" OUTPUT_VARIABLE out RESULT_VARIABLE failed
		OUTPUT_STRIP_TRAILING_WHITESPACE)
	if(failed)
		message(WARNING "Python ${version}: ${exe} does not run; no engine for it")
		continue()
	endif()
	string(REPLACE "\n" ";" facts "${out}")
	list(GET facts 0 include)
	list(GET facts 1 static)
	list(GET facts 2 shared)
	list(GET facts 3 libs)
	if(NOT include)
		message(STATUS "Python ${version}: no headers; no engine for it")
		continue()
	endif()
	separate_arguments(libs UNIX_COMMAND "${libs}")
	list(REMOVE_DUPLICATES libs)
	if(static)
		set(link -no-pie -rdynamic -Wl,--whole-archive ${static} -Wl,--no-whole-archive ${libs})
		message(STATUS "Python ${version}: ${exe}, static ${static}")
	else()
		set(link -rdynamic ${shared} ${libs})
		message(STATUS "Python ${version}: ${exe}, shared ${shared} (no static library: slower)")
	endif()
	set(EMPEROR_PYTHON_${version}_EXECUTABLE ${exe})
	set(EMPEROR_PYTHON_${version}_INCLUDE ${include})
	set(EMPEROR_PYTHON_${version}_LINK ${link})
	set(EMPEROR_PYTHON_${version}_STATIC ${static})
	list(APPEND EMPEROR_PYTHONS ${version})
endforeach()
if(NOT EMPEROR_PYTHONS)
	message(FATAL_ERROR "no Python with headers in ${EMPEROR_PYTHON_PREFIX}/bin (Debian: libpython3-dev)")
endif()
