"""Writes tests/golden/data/templates_published.jsonl: for every published template in the shared folder and each of our contexts (or the stored
case's own) the beginning of the sha256 of what transformers' Jinja2 environment renders, or null where it raises; "same": whether a stored target agrees.
Only digests are kept: the templates and renderings are others'. Run from the tree's root:
    /path/to/python tests/oracle/template_published.py ../shared > tests/golden/data/templates_published.jsonl
With --texts the renderings themselves are written instead, to look at a difference."""

import hashlib
import json
import pathlib
import sys

from template_goldens import expected

CALL = {"id": "call00001", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Z\u00fcrich", "days": 3, "units": ["C", "F"], "exact": True, "note": None}}}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city.\nToday or later.", "parameters": {"type": "object", "properties": {
    "city": {"type": "string", "description": "the city's name"}, "days": {"type": "integer", "default": 1, "minimum": 1, "maximum": 7}, "units": {"type": "array", "items": {"type": "string", "enum": ["C", "F"]}},
    "exact": {"type": "boolean"}, "place": {"type": "object", "properties": {"lat": {"type": "number"}, "lon": {"type": ["number", "null"]}}}}, "required": ["city"]},
    "return": {"type": "string", "description": "a sentence"}}},
    {"type": "function", "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}]
SYSTEM, USER, ANSWER = {"role": "system", "content": "Be brief. "}, {"role": "user", "content": " What is 2 < 3?\n"}, {"role": "assistant", "content": "It is <true>. "}
TOOL_TURNS = [{"role": "user", "content": "Weather in Z\u00fcrich?"}, {"role": "assistant", "content": "", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call00001", "name": "get_weather", "content": "{\"t\": 21.5}"}]
STRING_CALL = {**CALL, "function": {"name": "get_weather", "arguments": json.dumps(CALL["function"]["arguments"], ensure_ascii=False)}}
CONTEXTS = {
    "plain": {"messages": [USER]},
    "prompted": {"messages": [USER], "add_generation_prompt": True},
    "system": {"messages": [SYSTEM, USER, ANSWER, USER], "add_generation_prompt": True},
    "answered": {"messages": [SYSTEM, USER, ANSWER], "add_generation_prompt": False},
    "tools": {"messages": [SYSTEM, USER], "tools": TOOLS, "add_generation_prompt": True},
    "calls": {"messages": TOOL_TURNS, "tools": TOOLS, "add_generation_prompt": True},
    "called": {"messages": [SYSTEM, *TOOL_TURNS, {"role": "assistant", "content": "21.5 degrees."}, USER], "tools": TOOLS, "add_generation_prompt": True},
    "call_without_content": {"messages": [TOOL_TURNS[0], {"role": "assistant", "content": None, "tool_calls": [CALL, {**CALL, "id": "call00002"}]}, TOOL_TURNS[2], {**TOOL_TURNS[2], "tool_call_id": "call00002"}], "tools": TOOLS},
    "call_as_text": {"messages": [TOOL_TURNS[0], {"role": "assistant", "content": "", "tool_calls": [STRING_CALL]}, TOOL_TURNS[2]], "tools": TOOLS, "add_generation_prompt": True},
    "reasoning": {"messages": [USER, {"role": "assistant", "content": "Yes.", "reasoning_content": "2 is less.\n", "reasoning": "2 is less.", "thinking": "2 is less."}, USER], "add_generation_prompt": True, "enable_thinking": True, "thinking": True, "reasoning_effort": "high"},
    "think_tags": {"messages": [USER, {"role": "assistant", "content": "<think>\n2 is less\n</think>\n\nYes."}, USER], "add_generation_prompt": True, "enable_thinking": False, "reasoning_effort": "low"},
    "parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"}, {"type": "image"}, {"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}], "add_generation_prompt": True},
    "documents": {"messages": [SYSTEM, USER], "documents": [{"title": "A", "text": "alpha", "doc_id": 1}, {"title": "B", "text": "beta", "doc_id": 2}], "citations": "enabled", "controls": {"length": "short"}, "add_generation_prompt": True},
    "wrong_order": {"messages": [ANSWER, USER, USER], "add_generation_prompt": True},
    "unknown_role": {"messages": [{"role": "robot", "content": "hm"}]},
    "developer": {"messages": [{"role": "developer", "content": "Be polite."}, USER], "builtin_tools": ["browser", "python"], "model_identity": "You are X.", "add_generation_prompt": True},
    "empty": {"messages": []},
    "continued": {"messages": [USER, {**ANSWER, "prefix": True}], "continue_final_message": True, "date_string": "26 Jul 2024", "keep_past_thinking": True},
}
# What the stored renderings of chat_template_cases.json were made with: "off" is the caller's word for enable_thinking = false.
TINY_TOKENS = {"llama2": ("<s>", "</s>"), "llama3": ("<|begin_of_text|>", "<|end_of_text|>"), "gemma": ("<bos>", "<eos>"), "phi3": ("<s>", "<|endoftext|>"),
               "deepseek": ("<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>")}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def row(source, name, template, context, target=None):
    made = expected(template, context)
    out = {"source": source, "case": name, "python": None if made is None else hashlib.sha256(made.encode()).hexdigest()[:16]}
    if target is not None:
        out["same"] = made == target
    if "--texts" in sys.argv:
        out["text"] = made
    print(json.dumps(out))


def tiny_context(name, case):
    bos, eos = TINY_TOKENS.get(name, ("<s>", "</s>"))
    context = {"bos_token": bos, "eos_token": eos, "messages": case["messages"], "add_generation_prompt": case["add_generation_prompt"]}
    effort = case.get("reasoning_effort")
    return context if effort is None else {**context, "enable_thinking": False} if effort == "off" else {**context, "reasoning_effort": effort}


def main(shared):
    e2e = json.loads((shared / "configs/jinja-cases-huggingface.js/e2e-cases.json").read_text(encoding="utf-8"))
    for group in ("default_templates", "custom_templates"):
        for name, one in e2e[group].items():
            row("e2e-cases.json/" + group, name, one["chat_template"], one["data"], one["target"])
    syntax = json.loads((shared / "configs/jinja-cases-huggingface.js/syntax-cases.json").read_text(encoding="utf-8"))
    for name, one in syntax["cases"].items():
        row("syntax-cases.json", name, one["template"], one["context"], one["expected"])
    tiny = json.loads((shared / "tokenizers/neural-api-tiny/chat_template_cases.json").read_text(encoding="utf-8"))
    for name, one in tiny.items():
        template = one.get("template") or (shared / "tokenizers/neural-api-tiny" / f"{name}_chat_template.jinja").read_text(encoding="utf-8")
        for i, case in enumerate(one["cases"]):
            row("chat_template_cases.json", f"{name}/{i}", template, tiny_context(name, case), case.get("expected"))
    for folder in ("chat-templates-ik_llama.cpp", "chat-templates-mistral-common"):
        for path in sorted((shared / "configs" / folder).glob("*.jinja")):
            for name, context in CONTEXTS.items():
                row(f"{folder}/{path.name}", name, path.read_text(encoding="utf-8"), {**TOKENS, **context})


if __name__ == "__main__":
    if "--contexts" in sys.argv:
        print(json.dumps({name: {**TOKENS, **context} for name, context in CONTEXTS.items()}))
    else:
        main(pathlib.Path(sys.argv[1]))
