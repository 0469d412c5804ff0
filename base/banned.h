#pragma once

/* Functions that have cost other projects a hole or a wrong answer: with this header (every file gets it, see
 * CMakeLists.txt) they do not compile. The system headers that declare them come first, so that only our own
 * use of the names is caught. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(name) banned_function_##name

#undef strcpy
#define strcpy(...) BANNED(strcpy_use_mem_or_buf)
#undef strcat
#define strcat(...) BANNED(strcat_use_buf)
#undef strncpy
#define strncpy(...) BANNED(strncpy_use_snprintf)
#undef strncat
#define strncat(...) BANNED(strncat_use_buf)
#undef sprintf
#define sprintf(...) BANNED(sprintf_use_snprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf_use_vsnprintf)
#undef strtok
#define strtok(...) BANNED(strtok_use_strchr)
#undef atoi
#define atoi(...) BANNED(atoi_use_text_to_int)
#undef atol
#define atol(...) BANNED(atol_use_text_to_int)
#undef gmtime
#define gmtime(...) BANNED(gmtime_use_gmtime_r)
#undef localtime
#define localtime(...) BANNED(localtime_use_localtime_r)
#undef rand
#define rand(...) BANNED(rand_use_loop_random)
