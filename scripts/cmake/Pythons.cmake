# Finds the interpreters that can be embedded: for each version the first python3.X that has headers and a library, in the
# prefixes of EMPEROR_PYTHON_PREFIX. PATH is not asked: another python3 (a version manager's) may stand first there, and what
# is in somebody's home directory other users cannot read. Who wants those all the same names them, patterns allowed:
#
#   cmake --preset release "-DEMPEROR_PYTHON_PREFIX=/usr;/opt/pyenv/versions/*"
#
# Result: EMPEROR_PYTHONS, a list of X.Y, and for each EMPEROR_PYTHON_<X.Y>_{EXECUTABLE,INCLUDE,LINK,STATIC}.
# The link line comes from the interpreter's own sysconfig (LIBPL, LIBRARY, MODLIBS, LIBS): python3-config --embed
# names the shared library, which costs 14 to 24 % more CPU than the static one.
set(EMPEROR_PYTHON_VERSIONS 3.9 3.10 3.11 3.12 3.13 CACHE STRING "versions of Python to look for")
set(EMPEROR_PYTHON_PREFIX /usr CACHE STRING "where Pythons are: prefixes or patterns of them, the first counts")
set(EMPEROR_PYTHONS "")

set(_python_prefixes "")
foreach(pattern ${EMPEROR_PYTHON_PREFIX})
	file(GLOB found LIST_DIRECTORIES true ${pattern})
	list(SORT found COMPARE NATURAL ORDER DESCENDING)
	list(APPEND _python_prefixes ${found})
endforeach()

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

# One interpreter; sets EMPEROR_PYTHON_<version>_* if it can be embedded.
macro(_python_try version exe)
	execute_process(COMMAND ${exe} -I -c "${_python_query}" OUTPUT_VARIABLE out RESULT_VARIABLE failed
		OUTPUT_STRIP_TRAILING_WHITESPACE)
	string(REPLACE "\n" ";" facts "${out}")
	if(failed)
		message(WARNING "Python ${version}: ${exe} does not run; no engine for it")
		set(facts "" "" "" "")
	endif()
	list(GET facts 0 include)
	list(GET facts 1 static)
	list(GET facts 2 shared)
	list(GET facts 3 libs)
	separate_arguments(libs UNIX_COMMAND "${libs}")
	list(REMOVE_DUPLICATES libs)
	if(NOT include)
		message(STATUS "Python ${version}: ${exe} has no headers; no engine for it")
	else()
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
	endif()
endmacro()

foreach(version ${EMPEROR_PYTHON_VERSIONS})
	foreach(prefix ${_python_prefixes})
		if(EXISTS ${prefix}/bin/python${version} AND NOT version IN_LIST EMPEROR_PYTHONS)
			_python_try(${version} ${prefix}/bin/python${version})
		endif()
	endforeach()
endforeach()
if(NOT EMPEROR_PYTHONS)
	message(FATAL_ERROR "no Python with headers below ${EMPEROR_PYTHON_PREFIX} (Debian: libpython3-dev)")
endif()
