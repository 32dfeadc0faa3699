# Language, warnings, sanitizers, ccache, the rounding rules that every target shares.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

option(ASSAY_TESTS "build the tests" ON)
option(ASSAY_SCALAR_ONLY "leave out the AVX2 and AVX-512 kernels" OFF)
option(ASSAY_WERROR "treat warnings as errors" ON)
option(ASSAY_UNITY "compile the files of a folder in batches, for a faster clean build; OFF for work on single files" ON)
set(ASSAY_CUDA AUTO CACHE STRING "AUTO, ON or OFF: build the cuda_ kernels (AUTO: where nvcc is found)")
set(ASSAY_SANITIZE "" CACHE STRING "comma list for -fsanitize=")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# What every assay target is compiled with. No contraction: the fused operations are written by hand
# (DESIGN, "Canonical arithmetic"), so that every instruction set gives the same bits.
add_library(assay_flags INTERFACE)
target_include_directories(assay_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(assay_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow
  -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers -Wno-psabi -ffp-contract=off -fno-math-errno>)
if(ASSAY_WERROR)
  target_compile_options(assay_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(ASSAY_SANITIZE)
  # gcc's documentation: sanitizers make -Wmaybe-uninitialized report what is initialised (12 does, within std::regex).
  add_compile_options(-fsanitize=${ASSAY_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${ASSAY_SANITIZE})
endif()

# assay_library(NAME FOLDERS... [USES target...] [PRECOMPILED header...]): every .cc in the folders, the shared flags, the precompiled headers.
function(assay_library name)
  cmake_parse_arguments(arg "" "" "FOLDERS;USES;PRECOMPILED" ${ARGN})
  set(sources "")
  foreach(folder IN LISTS arg_FOLDERS)
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cc)
    list(APPEND sources ${found})
  endforeach()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC assay_flags ${arg_USES})
  target_precompile_headers(${name} PRIVATE ${PROJECT_SOURCE_DIR}/base/pch.h ${arg_PRECOMPILED})
  assay_batches(${name} 16)
endfunction()

# assay_batches(TARGET SIZE): compiles the target's sources so many at a time. Names in anonymous namespaces are therefore unique in a
# target. Sources with options of their own are left out by CMake; those with planted faults have batches to themselves, so that
# their planted copies can stand in the place of whole objects.
function(assay_batches target size)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${ASSAY_UNITY} UNITY_BUILD_MODE GROUP)
  get_property(faulty GLOBAL PROPERTY FAULTY_SOURCES)
  get_target_property(sources ${target} SOURCES)
  set(plain_count 0)
  set(faulty_count 0)
  foreach(source IN LISTS sources)
    set(kind plain)
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE OUTPUT_VARIABLE path)
    cmake_path(RELATIVE_PATH path BASE_DIRECTORY ${PROJECT_SOURCE_DIR})
    if(path IN_LIST faulty)
      set(kind faulty)
    endif()
    math(EXPR batch "${${kind}_count} / ${size}")
    math(EXPR ${kind}_count "${${kind}_count} + 1")
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${kind}_${batch})
  endforeach()
endfunction()

# assay_lightly_optimised(TARGET): for code that waits for files, libraries and people; it builds a third faster than at -O3.
function(assay_lightly_optimised target)
  target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O1>)
endfunction()

# assay_uses_httplib(TARGET FILE...): only these files see its header and macros, so that nothing else is compiled differently for it.
function(assay_uses_httplib target)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${HTTPLIB_CFLAGS_OTHER}" SKIP_PRECOMPILE_HEADERS ON)
  target_link_libraries(${target} PUBLIC $<LINK_ONLY:PkgConfig::HTTPLIB>)
endfunction()
