# Models as libraries of a CMake project:
#     include(<nnc>/cmake/nnc.cmake)
#     nnc_c(TARGET model.nn [ENTRY names...] [OPTIONS options...] [DEPENDS files...])
#     nnc_cuda(TARGET model.nn ...)
# TARGET is a static library of what nnc emits, C or CUDA C++, and who links it sees the header: model.h or model_cuda.h.
# ENTRY and OPTIONS go to nnc, DEPENDS are files that the model imports.  nnc is the target of that name, where its own
# CMakeLists.txt is part of the project, else NNC_COMPILER.  nnc_cuda wants nvcc, which CMake looks for at its first call
# (CUDACXX, CMAKE_CUDA_COMPILER name it, CMAKE_CUDA_ARCHITECTURES the GPUs); without one it says so and makes no target:
#     if(TARGET digits_gpu)
include_guard(GLOBAL)

if(NOT TARGET nnc)
    find_program(NNC_COMPILER nnc HINTS ${CMAKE_CURRENT_LIST_DIR}/../build/release/bin REQUIRED)
endif()

# Writes TARGET/stem.EXTENSION and its header, and makes the library.
function(nnc_library target model extension header)
    cmake_parse_arguments(A "" "" "ENTRY;OPTIONS;DEPENDS" ${ARGN})
    if(A_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "${target}: unknown words ${A_UNPARSED_ARGUMENTS}")
    endif()
    set(nnc ${NNC_COMPILER})
    if(TARGET nnc)
        set(nnc nnc)
    endif()
    get_filename_component(model ${model} ABSOLUTE)
    get_filename_component(stem ${model} NAME_WE)
    set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target})
    file(MAKE_DIRECTORY ${folder})
    list(TRANSFORM A_ENTRY PREPEND --entry=)
    add_custom_command(OUTPUT ${folder}/${stem}${extension} ${folder}/${stem}${header}
        COMMAND ${nnc} ${model} ${A_ENTRY} ${A_OPTIONS} -o ${folder}/${stem}${extension}
        DEPENDS ${nnc} ${model} ${A_DEPENDS} VERBATIM)
    add_library(${target} STATIC ${folder}/${stem}${extension} ${folder}/${stem}${header})
    target_include_directories(${target} PUBLIC ${folder})
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
endfunction()

function(nnc_c target model)
    nnc_library(${target} ${model} .c .h ${ARGN})
    target_compile_options(${target} PRIVATE $<$<C_COMPILER_ID:GNU>:-Wno-psabi>)
    target_link_libraries(${target} PUBLIC m)
endfunction()

# A macro, since a language is enabled for the file that calls.
macro(nnc_cuda target model)
    if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
        set(CMAKE_CUDA_ARCHITECTURES 75-real 80-real 86-real 89-real 90-real 100-real 120)
    endif()
    include(CheckLanguage)
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
        enable_language(CUDA)
        find_package(CUDAToolkit REQUIRED)
        nnc_library(${target} ${model} .cu _cuda.h ${ARGN})
        target_compile_features(${target} PRIVATE cuda_std_17)
        target_link_libraries(${target} PUBLIC CUDA::cudart_static)
    else()
        message(STATUS "nnc_cuda: ${target} is not made: there is no CUDA compiler")
    endif()
endmacro()
