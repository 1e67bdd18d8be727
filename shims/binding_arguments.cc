/* How JavaScript arguments become C values: one rule for each parameter. */
#include <stdio.h>
#include <string.h>

#include "binding_state.h"

constexpr double SAFE_INTEGER_MAX = 9007199254740991.0;

enum rule_kind : uint8_t { AN_OBJECT, A_TEXT, A_BOOLEAN, AN_INTEGER, A_NUMBER, A_VIEW, A_FUNCTION, A_MEMORY };

struct rule {
  char name[12]; /* in messages */
  rule_kind kind;
  double most; /* of an integer from 0 on */
};

/* In the order of the parameters. Without pointers, which would have to be relocated when the library is loaded. */
static const rule RULES[] = {
    {"", AN_OBJECT, 0},
    {"object", AN_OBJECT, 0},
    {"object", AN_OBJECT, 0},
    {"offset", AN_INTEGER, SAFE_INTEGER_MAX},
    {"name", A_TEXT, 0},
    {"path", A_TEXT, 0},
    {"handle", A_TEXT, 0},
    {"namespace", AN_INTEGER, ISTHMUS_GLOBAL},
    {"create", A_BOOLEAN, 0},
    {"readOnly", A_BOOLEAN, 0},
    {"mode", AN_INTEGER, 0777},
    {"replace", A_BOOLEAN, 0},
    {"bytes", AN_INTEGER, SAFE_INTEGER_MAX},
    {"offset", AN_INTEGER, SAFE_INTEGER_MAX},
    {"into", A_VIEW, 0},
    {"memory", A_MEMORY, 0},
    {"index", AN_INTEGER, ISTHMUS_LOCK_MAX},
    {"shared", A_BOOLEAN, 0},
    {"exclusively", A_BOOLEAN, 0},
    {"expected", A_NUMBER, 0},
    {"timeoutMs", A_NUMBER, 0},
    {"bell", A_FUNCTION, 0},
};
static_assert(sizeof RULES / sizeof RULES[0] == BELL + 1, "each parameter has a rule");

static void throw_error(napi_env env, bool range, const char *text) {
  if (range)
    napi_throw_range_error(env, nullptr, text);
  else
    napi_throw_type_error(env, nullptr, text);
}

static int refuse(const call &of, bool range, const char *name, const char *expected) {
  char text[120];
  snprintf(text, sizeof text, "isthmus shim: %s must be %s", name, expected);
  throw_error(of.env, range, text);
  return THROWN;
}

int refuse_range(const call &of, const char *name, const char *expected) {
  return refuse(of, true, name, expected);
}

int refuse_type(const call &of, const char *name, const char *expected) {
  return refuse(of, false, name, expected);
}

/* Each gives what the argument must be, or nullptr when it is that. */

static const char *take_object(call &of, parameter wanted, double number) {
  of.slot = slot_of(of.state, number);
  if (!of.slot) return "the number of an open object of this thread";
  of.object = of.slot->object;
  return wanted == MAPPED && isthmus_mapped_bytes(of.object) == 0 ? "mapped" : nullptr;
}

/* `*range` when it is a string that does not fit. */
static const char *take_text(call &of, napi_value given, bool *range) {
  size_t length = 0;
  if (napi_get_value_string_utf8(of.env, given, nullptr, 0, &length) != napi_ok) return "a string";
  *range = true;
  bool fits = length < TEXT_BYTES &&
              napi_get_value_string_utf8(of.env, given, of.state->text, TEXT_BYTES, &length) == napi_ok &&
              strlen(of.state->text) == length;
  return fits ? nullptr : "shorter and without NUL";
}

const char *take_view(call &of, napi_value given) {
  napi_typedarray_type type;
  napi_status status =
      napi_get_typedarray_info(of.env, given, &type, &of.view_bytes, &of.view, nullptr, nullptr);
  return status == napi_ok && type == napi_uint8_array ? nullptr : "a Uint8Array";
}

/* Throws by itself where the text holds a number. */
static bool take_integer(const call &of, const rule &wanted, argument *out) {
  if (out->number >= 0 && out->number <= wanted.most) {
    out->integer = static_cast<uint64_t>(out->number);
    if (static_cast<double>(out->integer) == out->number) return true;
  }
  char expected[48];
  snprintf(expected, sizeof expected, "an integer from 0 to %.0f", wanted.most);
  refuse_range(of, wanted.name, expected);
  return false;
}

bool take(call &of, size_t index, parameter wanted) {
  const rule &rule = RULES[wanted];
  argument &out = of.arguments[index];
  const char *expected = nullptr;
  bool range = false, flag = false;
  napi_valuetype type;
  bool is_number = napi_get_value_double(of.env, out.given, &out.number) == napi_ok;
  switch (rule.kind) {
    case AN_OBJECT:
      expected = take_object(of, wanted, is_number ? out.number : 0);
      break;
    case A_TEXT:
      expected = take_text(of, out.given, &range);
      break;
    case A_BOOLEAN:
      if (napi_get_value_bool(of.env, out.given, &flag) != napi_ok) expected = "a boolean";
      out.integer = flag;
      break;
    case AN_INTEGER:
      if (!is_number) {
        expected = "a number";
        break;
      }
      if (!take_integer(of, rule, &out)) return false;
      range = true;
      if (wanted == WORD && (out.integer % 4 != 0 || out.integer >= isthmus_mapped_bytes(of.object)))
        expected = "a multiple of 4 inside the mapping";
      break;
    case A_NUMBER:
      if (!is_number || out.number != out.number) expected = "a number";
      break;
    case A_VIEW:
      expected = take_view(of, out.given);
      break;
    case A_MEMORY: /* the body calls a function */
      if (napi_typeof(of.env, out.given, &type) != napi_ok || type != napi_function)
        expected = take_view(of, out.given);
      break;
    case A_FUNCTION:
      if (napi_typeof(of.env, out.given, &type) != napi_ok || type != napi_function) expected = "a function";
      break;
  }
  if (expected) refuse(of, range, rule.name, expected);
  return expected == nullptr;
}
