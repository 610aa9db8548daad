"""Json: a hand-written parser of JSON, one character at a time."""

from __future__ import annotations

from typing import Any

from bench.programs.json_document import DOCUMENT
from bench.programs.som import Benchmark, Vector


class Json(Benchmark):
    """Parses the document and looks at what came out."""

    def benchmark(self) -> Any:
        return Parser(DOCUMENT).parse()

    def verify_result(self, result: Any) -> Any:
        if not result.is_object():
            return False
        if not result.as_object().get("head").is_object():
            return False
        if not result.as_object().get("operations").is_array():
            return False
        return result.as_object().get("operations").as_array().size() == 156


class JsonValue:
    """Base of all values."""

    def is_object(self) -> bool:
        return False

    def is_array(self) -> bool:
        return False

    def is_number(self) -> bool:
        return False

    def is_string(self) -> bool:
        return False

    def is_boolean(self) -> bool:
        return False

    def is_true(self) -> bool:
        return False

    def is_false(self) -> bool:
        return False

    def is_null(self) -> bool:
        return False

    def as_object(self) -> Any:
        raise TypeError("not an object")

    def as_array(self) -> Any:
        raise TypeError("not an array")


class JsonLiteral(JsonValue):
    """``null``, ``true`` or ``false``."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.null_flag = value == "null"
        self.true_flag = value == "true"
        self.false_flag = value == "false"

    def is_null(self) -> bool:
        return self.null_flag

    def is_true(self) -> bool:
        return self.true_flag

    def is_false(self) -> bool:
        return self.false_flag

    def as_string(self) -> str:
        return self.value

    def is_boolean(self) -> bool:
        return self.true_flag or self.false_flag


LITERAL_NULL = JsonLiteral("null")
LITERAL_TRUE = JsonLiteral("true")
LITERAL_FALSE = JsonLiteral("false")


class JsonArray(JsonValue):
    """An array."""

    def __init__(self) -> None:
        self.values = Vector()

    def add(self, value: JsonValue) -> JsonArray:
        if value is None:
            raise ValueError("a value is missing")
        self.values.append(value)
        return self

    def size(self) -> int:
        return self.values.size()

    def get(self, index: int) -> Any:
        return self.values.at(index)

    def is_array(self) -> bool:
        return True

    def as_array(self) -> JsonArray:
        return self


class JsonNumber(JsonValue):
    """A number, as it was written."""

    def __init__(self, string: str) -> None:
        self.string = string
        if string is None:
            raise ValueError("a text is missing")

    def as_string(self) -> str:
        return self.string

    def is_number(self) -> bool:
        return True


class JsonString(JsonValue):
    """A string."""

    def __init__(self, string: str) -> None:
        self.string = string

    def is_string(self) -> bool:
        return True


class JsonObject(JsonValue):
    """An object: names and values side by side, and a table from name to index."""

    def __init__(self) -> None:
        self.names = Vector()
        self.values = Vector()
        self.table = HashIndexTable()

    def add(self, name: str, value: JsonValue) -> JsonObject:
        if name is None:
            raise ValueError("a name is missing")
        if value is None:
            raise ValueError("a value is missing")
        self.table.add(name, self.names.size())
        self.names.append(name)
        self.values.append(value)
        return self

    def get(self, name: str) -> Any:
        if name is None:
            raise ValueError("a name is missing")
        index = self.index_of(name)
        return None if index == -1 else self.values.at(index)

    def size(self) -> int:
        return self.names.size()

    def is_object(self) -> bool:
        return True

    def as_object(self) -> JsonObject:
        return self

    def index_of(self, name: str) -> int:
        index = self.table.get(name)
        if index != -1 and name == self.names.at(index):
            return index
        raise KeyError(name)


class HashIndexTable:
    """A guess at the index of a name, by the length of the name."""

    def __init__(self) -> None:
        self.slots = [0] * 32

    def add(self, name: str, index: int) -> None:
        slot = self.slot_for(name)
        if index < 0xFF:
            self.slots[slot] = (index + 1) & 0xFF
        else:
            self.slots[slot] = 0

    def get(self, name: str) -> int:
        slot = self.slot_for(name)
        return (self.slots[slot] & 0xFF) - 1

    @staticmethod
    def string_hash(s: str) -> int:
        return len(s) * 1_402_589

    def slot_for(self, element: str) -> int:
        return self.string_hash(element) & (len(self.slots) - 1)


class ParseError(Exception):
    """What is wrong with the text, and where."""

    def __init__(self, message: str, offset: int, line: int, column: int) -> None:
        super().__init__(message)
        self.offset = offset
        self.line = line
        self.column = column


class Parser:
    """Holds the place in the text and the current character."""

    def __init__(self, text: str) -> None:
        self.input = text
        self.index = -1
        self.line = 1
        self.capture_start = -1
        self.column = 0
        self.current: str | None = None
        self.capture_buffer = ""

    def parse(self) -> Any:
        self.read()
        self.skip_white_space()
        result = self.read_value()
        self.skip_white_space()
        if not self.is_end_of_text():
            raise self.error("unexpected character")
        return result

    def read_value(self) -> Any:
        if self.current == "n":
            return self.read_null()
        if self.current == "t":
            return self.read_true()
        if self.current == "f":
            return self.read_false()
        if self.current == '"':
            return self.read_string()
        if self.current == "[":
            return self.read_array()
        if self.current == "{":
            return self.read_object()
        if (
            self.current == "-"
            or self.current == "0"
            or self.current == "1"
            or self.current == "2"
            or self.current == "3"
            or self.current == "4"
            or self.current == "5"
            or self.current == "6"
            or self.current == "7"
            or self.current == "8"
            or self.current == "9"
        ):
            return self.read_number()
        raise self.expected("a value")

    def read_array_element(self, array: JsonArray) -> None:
        self.skip_white_space()
        array.add(self.read_value())
        self.skip_white_space()

    def read_array(self) -> JsonArray:
        self.read()
        array = JsonArray()
        self.skip_white_space()
        if self.read_char("]"):
            return array
        self.read_array_element(array)
        while self.read_char(","):
            self.read_array_element(array)
        if not self.read_char("]"):
            raise self.expected("',' or ']'")
        return array

    def read_pair(self, obj: JsonObject) -> None:
        self.skip_white_space()
        name = self.read_name()
        self.skip_white_space()
        if not self.read_char(":"):
            raise self.expected("':'")
        self.skip_white_space()
        obj.add(name, self.read_value())
        self.skip_white_space()

    def read_object(self) -> JsonObject:
        self.read()
        obj = JsonObject()
        self.skip_white_space()
        if self.read_char("}"):
            return obj
        self.read_pair(obj)
        while self.read_char(","):
            self.read_pair(obj)
        if not self.read_char("}"):
            raise self.expected("',' or '}'")
        return obj

    def read_name(self) -> str:
        if self.current != '"':
            raise self.expected("a name")
        return self.read_string_internal()

    def read_null(self) -> JsonLiteral:
        self.read()
        self.read_required_char("u")
        self.read_required_char("l")
        self.read_required_char("l")
        return LITERAL_NULL

    def read_true(self) -> JsonLiteral:
        self.read()
        self.read_required_char("r")
        self.read_required_char("u")
        self.read_required_char("e")
        return LITERAL_TRUE

    def read_false(self) -> JsonLiteral:
        self.read()
        self.read_required_char("a")
        self.read_required_char("l")
        self.read_required_char("s")
        self.read_required_char("e")
        return LITERAL_FALSE

    def read_required_char(self, ch: str) -> None:
        if not self.read_char(ch):
            raise self.expected("'" + ch + "'")

    def read_string(self) -> JsonString:
        return JsonString(self.read_string_internal())

    def read_string_internal(self) -> str:
        self.read()
        self.start_capture()
        while self.current != '"':
            if self.current == "\\":
                self.pause_capture()
                self.read_escape()
                self.start_capture()
            else:
                self.read()
        string = self.end_capture()
        self.read()
        return string

    def read_escape_char(self) -> str:
        if self.current == '"':
            return '"'
        if self.current == "/":
            return "/"
        if self.current == "\\":
            return "\\"
        if self.current == "b":
            return "\b"
        if self.current == "f":
            return "\f"
        if self.current == "n":
            return "\n"
        if self.current == "r":
            return "\r"
        if self.current == "t":
            return "\t"
        raise self.expected("an escape sequence")

    def read_escape(self) -> None:
        self.read()
        self.capture_buffer += self.read_escape_char()
        self.read()

    def read_number(self) -> JsonNumber:
        self.start_capture()
        self.read_char("-")
        first_digit = self.current
        if not self.read_digit():
            raise self.expected("a digit")
        if first_digit != "0":
            while self.read_digit():
                pass
        self.read_fraction()
        self.read_exponent()
        return JsonNumber(self.end_capture())

    def read_fraction(self) -> bool:
        if not self.read_char("."):
            return False
        if not self.read_digit():
            raise self.expected("a digit")
        while self.read_digit():
            pass
        return True

    def read_exponent(self) -> bool:
        if not self.read_char("e") and not self.read_char("E"):
            return False
        if not self.read_char("+"):
            self.read_char("-")
        if not self.read_digit():
            raise self.expected("a digit")
        while self.read_digit():
            pass
        return True

    def read_char(self, ch: str) -> bool:
        if self.current != ch:
            return False
        self.read()
        return True

    def read_digit(self) -> bool:
        if not self.is_digit():
            return False
        self.read()
        return True

    def skip_white_space(self) -> None:
        while self.is_white_space():
            self.read()

    def read(self) -> None:
        if self.current == "\n":
            self.line += 1
            self.column = 0
        self.index += 1
        if self.index < len(self.input):
            self.current = self.input[self.index]
        else:
            self.current = None

    def start_capture(self) -> None:
        self.capture_start = self.index

    def pause_capture(self) -> None:
        end = self.index if self.current is None else self.index - 1
        self.capture_buffer += self.input[self.capture_start : end + 1]
        self.capture_start = -1

    def end_capture(self) -> str:
        end = self.index if self.current is None else self.index - 1
        if self.capture_buffer == "":
            captured = self.input[self.capture_start : end + 1]
        else:
            self.capture_buffer += self.input[self.capture_start : end + 1]
            captured = self.capture_buffer
            self.capture_buffer = ""
        self.capture_start = -1
        return captured

    def expected(self, what: str) -> ParseError:
        if self.is_end_of_text():
            return self.error("unexpected end of input")
        return self.error("expected " + what)

    def error(self, message: str) -> ParseError:
        return ParseError(message, self.index, self.line, self.column - 1)

    def is_white_space(self) -> bool:
        return self.current == " " or self.current == "\t" or self.current == "\n" or self.current == "\r"

    def is_digit(self) -> bool:
        return (
            self.current == "0"
            or self.current == "1"
            or self.current == "2"
            or self.current == "3"
            or self.current == "4"
            or self.current == "5"
            or self.current == "6"
            or self.current == "7"
            or self.current == "8"
            or self.current == "9"
        )

    def is_end_of_text(self) -> bool:
        return self.current is None


def benchmark(inner: int) -> bool:
    return Json().inner_benchmark_loop(inner)
