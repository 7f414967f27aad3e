/* The JSON reader of safetensors headers. */
#include "json.h"

#include <inttypes.h>
#include <string.h>

bool json_fail(Json *json, const char *what) {
    return nnc_fail(json->error, "header byte %zu: %s", json->position, what);
}

void json_skip_space(Json *json) {
    while (json->position < json->length) {
        unsigned char c = json->text[json->position];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') break;
        ++json->position;
    }
}

bool json_accept(Json *json, char character) {
    json_skip_space(json);
    if (json->position >= json->length || json->text[json->position] != (unsigned char)character)
        return false;
    ++json->position;
    return true;
}

bool json_expect(Json *json, char character) {
    if (json_accept(json, character)) return true;
    char what[] = "'?' expected";
    what[1] = character;
    return json_fail(json, what);
}

static int hex_digit(unsigned char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool read_hex4(Json *json, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 4; ++i) {
        int digit = json->position < json->length ? hex_digit(json->text[json->position]) : -1;
        if (digit < 0) return json_fail(json, "four hex digits expected after \\u");
        *out = *out << 4 | (uint32_t)digit;
        ++json->position;
    }
    return true;
}

static void put_utf8(NncText *out, uint32_t code) {
    unsigned char bytes[4];
    size_t count;
    if (code < 0x80) {
        bytes[0] = (unsigned char)code;
        count = 1;
    } else if (code < 0x800) {
        bytes[0] = (unsigned char)(0xc0 | code >> 6);
        bytes[1] = (unsigned char)(0x80 | (code & 63));
        count = 2;
    } else if (code < 0x10000) {
        bytes[0] = (unsigned char)(0xe0 | code >> 12);
        bytes[1] = (unsigned char)(0x80 | (code >> 6 & 63));
        bytes[2] = (unsigned char)(0x80 | (code & 63));
        count = 3;
    } else {
        bytes[0] = (unsigned char)(0xf0 | code >> 18);
        bytes[1] = (unsigned char)(0x80 | (code >> 12 & 63));
        bytes[2] = (unsigned char)(0x80 | (code >> 6 & 63));
        bytes[3] = (unsigned char)(0x80 | (code & 63));
        count = 4;
    }
    nnc_text_bytes(out, bytes, count);
}

static bool read_escape(Json *json, NncText *out) {
    if (json->position >= json->length) return json_fail(json, "string without end");
    unsigned char c = json->text[json->position++];
    uint32_t code;
    switch (c) {
    case '"': code = '"'; break;
    case '\\': code = '\\'; break;
    case '/': code = '/'; break;
    case 'b': code = '\b'; break;
    case 'f': code = '\f'; break;
    case 'n': code = '\n'; break;
    case 'r': code = '\r'; break;
    case 't': code = '\t'; break;
    case 'u':
        if (!read_hex4(json, &code)) return false;
        if (code >= 0xdc00 && code < 0xe000) return json_fail(json, "lone surrogate");
        if (code >= 0xd800 && code < 0xdc00) {
            uint32_t low;
            if (json->position + 2 > json->length || json->text[json->position] != '\\' ||
                json->text[json->position + 1] != 'u')
                return json_fail(json, "lone surrogate");
            json->position += 2;
            if (!read_hex4(json, &low)) return false;
            if (low < 0xdc00 || low >= 0xe000) return json_fail(json, "lone surrogate");
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        break;
    default: return json_fail(json, "unknown escape");
    }
    if (code == 0) return json_fail(json, "a name may not hold a NUL");
    put_utf8(out, code);
    return true;
}

/* Length of the well-formed UTF-8 sequence at `text`, 0 if there is none. */
static size_t utf8_length(const unsigned char *text, size_t left) {
    unsigned char c = text[0];
    if (c < 0x80) return 1;
    size_t need = c >= 0xc2 && c <= 0xdf   ? 2
                  : c >= 0xe0 && c <= 0xef ? 3
                  : c >= 0xf0 && c <= 0xf4 ? 4
                                           : 0;
    if (!need || need > left) return 0;
    for (size_t i = 1; i < need; ++i)
        if ((text[i] & 0xc0) != 0x80) return 0;
    if (c == 0xe0 && text[1] < 0xa0) return 0;
    if (c == 0xed && text[1] > 0x9f) return 0;
    if (c == 0xf0 && text[1] < 0x90) return 0;
    if (c == 0xf4 && text[1] > 0x8f) return 0;
    return need;
}

bool json_string(Json *json, char **out) {
    NncText text = {0};
    *out = NULL;
    if (!json_expect(json, '"')) return false;
    nnc_text_add(&text, "");
    for (;;) {
        if (json->position >= json->length) {
            json_fail(json, "string without end");
            break;
        }
        unsigned char c = json->text[json->position];
        if (c == '"') {
            ++json->position;
            if (text.failed) {
                json_fail(json, "out of memory");
                break;
            }
            *out = text.data;
            return true;
        }
        if (c < 0x20) {
            json_fail(json, "control character in a string");
            break;
        }
        if (c == '\\') {
            ++json->position;
            if (!read_escape(json, &text)) break;
            continue;
        }
        size_t length = utf8_length(json->text + json->position, json->length - json->position);
        if (!length) {
            json_fail(json, "not UTF-8");
            break;
        }
        nnc_text_bytes(&text, json->text + json->position, length);
        json->position += length;
    }
    nnc_text_free(&text);
    return false;
}

bool json_unsigned(Json *json, uint64_t *out) {
    json_skip_space(json);
    size_t start = json->position;
    *out = 0;
    while (json->position < json->length) {
        unsigned char c = json->text[json->position];
        if (c < '0' || c > '9') break;
        if (json->position == start + 1 && json->text[start] == '0')
            return json_fail(json, "a number may not begin with 0");
        if (__builtin_mul_overflow(*out, (uint64_t)10, out) ||
            __builtin_add_overflow(*out, (uint64_t)(c - '0'), out))
            return json_fail(json, "the number is too large");
        ++json->position;
    }
    if (json->position == start) return json_fail(json, "a non-negative integer expected");
    if (json->position < json->length) {
        unsigned char c = json->text[json->position];
        if (c == '.' || c == 'e' || c == 'E') return json_fail(json, "an integer expected");
    }
    return true;
}

static bool skip_word(Json *json, const char *word) {
    size_t length = strlen(word);
    if (json->length - json->position < length ||
        memcmp(json->text + json->position, word, length) != 0)
        return json_fail(json, "a value expected");
    json->position += length;
    return true;
}

static bool skip_digits(Json *json) {
    size_t start = json->position;
    while (json->position < json->length && json->text[json->position] >= '0' &&
           json->text[json->position] <= '9')
        ++json->position;
    return json->position > start || json_fail(json, "a digit expected");
}

static bool skip_number(Json *json) {
    if (json->text[json->position] == '-') ++json->position;
    if (!skip_digits(json)) return false;
    if (json->position < json->length && json->text[json->position] == '.') {
        ++json->position;
        if (!skip_digits(json)) return false;
    }
    if (json->position < json->length &&
        (json->text[json->position] == 'e' || json->text[json->position] == 'E')) {
        ++json->position;
        if (json->position < json->length &&
            (json->text[json->position] == '+' || json->text[json->position] == '-'))
            ++json->position;
        return skip_digits(json);
    }
    return true;
}

static bool skip_string(Json *json) {
    char *text;
    if (!json_string(json, &text)) return false;
    nnc_release(text);
    return true;
}

bool json_skip_value(Json *json, int depth) {
    if (depth > NNC_JSON_DEPTH) return json_fail(json, "nested too deeply");
    json_skip_space(json);
    if (json->position >= json->length) return json_fail(json, "a value expected");
    switch (json->text[json->position]) {
    case '"': return skip_string(json);
    case 't': return skip_word(json, "true");
    case 'f': return skip_word(json, "false");
    case 'n': return skip_word(json, "null");
    case '[':
        ++json->position;
        if (json_accept(json, ']')) return true;
        do {
            if (!json_skip_value(json, depth + 1)) return false;
        } while (json_accept(json, ','));
        return json_expect(json, ']');
    case '{':
        ++json->position;
        if (json_accept(json, '}')) return true;
        do {
            if (!skip_string(json) || !json_expect(json, ':') || !json_skip_value(json, depth + 1))
                return false;
        } while (json_accept(json, ','));
        return json_expect(json, '}');
    default: return skip_number(json);
    }
}

void json_write_string(NncText *out, const char *text) {
    nnc_text_add(out, "\"");
    for (; *text; ++text) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            char pair[3] = {'\\', (char)c, 0};
            nnc_text_add(out, pair);
        } else if (c < 0x20) {
            nnc_text_format(out, "\\u%04x", c);
        } else {
            nnc_text_bytes(out, &c, 1);
        }
    }
    nnc_text_add(out, "\"");
}
