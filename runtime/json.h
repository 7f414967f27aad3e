/* A strict pull reader of JSON for headers: UTF-8 checked, depth limited, integers only.
 * Every function returns false after noting the first error with its byte offset. */
#ifndef NNCRT_JSON_H
#define NNCRT_JSON_H

#include "nncrt_base.h"

enum { NNC_JSON_DEPTH = 32 };

typedef struct Json {
    const unsigned char *text;
    size_t length, position;
    NncError *error;
} Json;

bool json_fail(Json *json, const char *what);
void json_skip_space(Json *json);
/* Consumes the character or fails saying that it was expected. */
bool json_expect(Json *json, char character);
bool json_accept(Json *json, char character);
/* A string without NUL, unescaped; the caller releases it. */
bool json_string(Json *json, char **out);
/* A non-negative integer without sign, fraction, exponent or leading zero. */
bool json_unsigned(Json *json, uint64_t *out);
/* Any value, depth limited. */
bool json_skip_value(Json *json, int depth);
/* Appends `text` as a JSON string with quotes. */
void json_write_string(NncText *out, const char *text);

#endif
