/* The compiler's main under another name, for nnc_faulty. */
int nnc_main(int argc, char **argv);
#define main nnc_main
#include "driver/main.c"
