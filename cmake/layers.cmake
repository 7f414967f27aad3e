# Functions that make the targets of this project from its folders.

# nnc_embed(TARGET PREFIX p ROOT folder FILES globs...): a library whose p_files[] table holds the bytes of the files,
# named by their paths below the folder.
function(nnc_embed target)
    cmake_parse_arguments(A "" "PREFIX;ROOT" "FILES" ${ARGN})
    set(root ${PROJECT_SOURCE_DIR}/${A_ROOT})
    list(TRANSFORM A_FILES PREPEND ${root}/)
    file(GLOB files CONFIGURE_DEPENDS ${A_FILES})
    list(SORT files)
    if(NOT TARGET nnc_embed_tool)
        add_executable(nnc_embed_tool ${PROJECT_SOURCE_DIR}/tools/embed.c)
    endif()
    set(out ${PROJECT_BINARY_DIR}/generated/${A_PREFIX}_files.c)
    add_custom_command(OUTPUT ${out}
        COMMAND nnc_embed_tool ${A_PREFIX} ${root} ${out} ${files}
        DEPENDS nnc_embed_tool ${files} VERBATIM)
    add_library(${target} STATIC ${out})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/compiler)
endfunction()

# nnc_layer(NAME [GRAMMAR] DEPENDS layers... LIBRARIES targets...): compiler/NAME/**.c as library nnc_NAME.
function(nnc_layer name)
    cmake_parse_arguments(A "GRAMMAR" "" "DEPENDS;LIBRARIES" ${ARGN})
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/compiler/${name}/*.c)
    list(FILTER sources EXCLUDE REGEX "/driver/main\\.c$")
    if(A_GRAMMAR AND EXISTS ${PROJECT_SOURCE_DIR}/grammar/nn.y)
        set(generated ${PROJECT_BINARY_DIR}/generated)
        file(MAKE_DIRECTORY ${generated})
        bison_target(nn_parser ${PROJECT_SOURCE_DIR}/grammar/nn.y ${generated}/nn_parser.inc
            DEFINES_FILE ${generated}/nn_parser.h COMPILE_FLAGS "-Wall -Werror --no-lines")
        flex_target(nn_scanner ${PROJECT_SOURCE_DIR}/grammar/nn.l ${generated}/nn_scanner.inc
            COMPILE_FLAGS "--noline")
        set(grammar_outputs ${BISON_nn_parser_OUTPUTS} ${FLEX_nn_scanner_OUTPUTS})
        set_source_files_properties(${grammar_outputs} PROPERTIES HEADER_FILE_ONLY ON)
        list(APPEND sources ${grammar_outputs})
    endif()
    set(links nnc_flags ${A_LIBRARIES})
    foreach(layer ${A_DEPENDS})
        list(APPEND links nnc_${layer})
    endforeach()
    if(sources)
        add_library(nnc_${name} STATIC ${sources})
        set_target_properties(nnc_${name} PROPERTIES LINKER_LANGUAGE C)
        target_include_directories(nnc_${name} PUBLIC ${PROJECT_SOURCE_DIR}/compiler
            PRIVATE ${PROJECT_BINARY_DIR}/generated ${PROJECT_SOURCE_DIR}/grammar)
        target_link_libraries(nnc_${name} PUBLIC ${links} m)
    else()
        add_library(nnc_${name} INTERFACE)
        target_include_directories(nnc_${name} INTERFACE ${PROJECT_SOURCE_DIR}/compiler)
        target_link_libraries(nnc_${name} INTERFACE ${links})
    endif()
endfunction()

# The runtime: linked into programs and into the compiler's run and train.
function(nnc_runtime)
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/runtime/*.c)
    if(sources)
        add_library(nncrt STATIC ${sources})
        target_include_directories(nncrt PUBLIC ${PROJECT_SOURCE_DIR}/runtime)
        # Quoted includes only: a template's name must not stand for a system header's.
        target_compile_options(nncrt PUBLIC "SHELL:-iquote ${PROJECT_SOURCE_DIR}/templates")
        target_link_libraries(nncrt PUBLIC nnc_flags Threads::Threads ZLIB::ZLIB PNG::PNG JPEG::JPEG m)
        set_target_properties(nncrt PROPERTIES POSITION_INDEPENDENT_CODE ON)
    else()
        add_library(nncrt INTERFACE)
    endif()
endfunction()

function(nnc_compiler_binary)
    if(EXISTS ${PROJECT_SOURCE_DIR}/compiler/driver/main.c)
        add_executable(nnc ${PROJECT_SOURCE_DIR}/compiler/driver/main.c)
        target_link_libraries(nnc PRIVATE nnc_driver ${CMAKE_DL_LIBS})
        set_target_properties(nnc PROPERTIES ENABLE_EXPORTS OFF
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
    endif()
endfunction()

# Every tests/SUITE/**/test_*.c is one CMocka program; LAYERS are the libraries it links.
# A test gets -DSOURCE_DIR, -DBINARY_DIR; the CTest label is the suite's folder.  The target `unit` is
# every program of the unit suites.
function(nnc_test_suite suite)
    cmake_parse_arguments(A "" "TIMEOUT" "LAYERS" ${ARGN})
    file(GLOB_RECURSE tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${suite}/test_*.c)
    foreach(test ${tests})
        file(RELATIVE_PATH relative ${CMAKE_CURRENT_SOURCE_DIR} ${test})
        string(REPLACE "/" "_" target ${relative})
        string(REPLACE ".c" "" target ${target})
        add_executable(${target} ${test})
        target_link_libraries(${target} PRIVATE nnc_flags cmocka ${A_LAYERS} ${CMAKE_DL_LIBS})
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/compiler ${PROJECT_SOURCE_DIR}/tests)
        target_compile_options(${target} PRIVATE "SHELL:-iquote ${PROJECT_SOURCE_DIR}/templates")
        target_compile_definitions(${target} PRIVATE SOURCE_DIR="${PROJECT_SOURCE_DIR}"
            BINARY_DIR="${PROJECT_BINARY_DIR}")
        add_test(NAME ${target} COMMAND ${target})
        if(suite MATCHES "^unit/")
            add_dependencies(unit ${target})
        endif()
        set_tests_properties(${target} PROPERTIES LABELS ${suite} TIMEOUT 300)
        if(A_TIMEOUT)
            set_tests_properties(${target} PROPERTIES TIMEOUT ${A_TIMEOUT})
        endif()
    endforeach()
endfunction()
