"""Drives `assay serve` with the clients it is made for, lm-evaluation-harness and the openai package, unchanged, and prints the comparison.

Log-likelihoods of multiple choice: the harness through the server against `assay loglikelihood` (at most 1e-6 apart) and against the harness's own
HF backend in float64 (1e-4). Generated texts: the harness through the server, the openai client whole and streamed, and HF, all equal.

usage: OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 python serve_clients.py build/release/bin/assay [ITEMS]
needs: pip install torch transformers "lm_eval[hf,api]==0.4.13" openai        exit code: 0 if all agree
"""
import json
import pathlib
import subprocess
import sys

import openai
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "suites/data/demo/model"
SUITES = ROOT / "suites/data/demo/suites"
STOPS = ["\n\n", "\nQ:"]
MAX_TOKENS = 128  # what generation_config.json says: transformers takes it before the harness's own limit, whatever that is
failures = []


def check(what, good, figure=""):
    print(f"{'ok  ' if good else 'FAIL'} {what} {figure}", flush=True)
    if not good:
        failures.append(what)


def rows(name, n):
    lines = [json.loads(line) for line in (SUITES / name).read_text().splitlines()]
    return lines[:: max(1, len(lines) // n)][:n]


def choice_pairs(n):
    pairs = []
    for item in rows("world-mc.jsonl", n):
        passage = item["passage"] + "\n" if item["passage"] else ""
        context = f"{passage}Question: {item['question']}\nAnswer:"
        pairs += [(context, " " + option) for option in item["options"]]
    return pairs


def loglikelihoods(model, pairs):
    return model.loglikelihood([Instance("loglikelihood", {}, pair, i) for i, pair in enumerate(pairs)], disable_tqdm=True)


def compare(what, texts, due):
    check(what, texts == due, f"{sum(a == b for a, b in zip(texts, due))} of {len(due)}")
    for a, b in zip(texts, due):
        if a != b:
            print(f"       {a!r}\n  not  {b!r}")


def generate(model, prompts):
    arguments = {"until": STOPS, "max_gen_toks": MAX_TOKENS, "temperature": 0.0, "do_sample": False}
    return model.generate_until([Instance("generate_until", {}, (prompt, dict(arguments)), i) for i, prompt in enumerate(prompts)], disable_tqdm=True)


def furthest(a, b):
    return max(abs(x[0] - y[0]) for x, y in zip(a, b))


def harness(base, pairs, prompts, own, hf_pairs, hf_texts):
    ways = [
        dict(tokenized_requests=True, batch_size=1),
        dict(tokenized_requests=True, batch_size=16),
        dict(tokenized_requests=True, batch_size=4, num_concurrent=4),
        dict(tokenized_requests=False, batch_size=1),
        dict(tokenized_requests=False, batch_size=8, num_concurrent=2),
    ]
    for way in ways:
        model = LocalCompletionsAPI(model=str(MODEL), base_url=base + "/completions", tokenizer_backend="huggingface", add_bos_token=True, max_length=1024, **way)
        got = loglikelihoods(model, pairs)
        check(f"local-completions {way}: log-likelihoods of assay loglikelihood", furthest(got, own) <= 1e-6, f"{furthest(got, own):.2e}")
        check(f"local-completions {way}: log-likelihoods of HF", furthest(got, hf_pairs) <= 1e-4, f"{furthest(got, hf_pairs):.2e}")
        check("  greedy flags", [g for _, g in got] == [g for _, g in hf_pairs] == [g for _, g in own])
        texts = generate(model, prompts)
        compare("  generated texts of HF", texts, hf_texts)
    return texts


def chats(base, tokenizer, questions, hf):
    model = LocalChatCompletion(model="model", base_url=base + "/chat/completions", tokenizer_backend=None)
    turns = [[{"role": "user", "content": question}] for question in questions]
    got = generate(model, [model.apply_chat_template(turn) for turn in turns])
    rendered = [tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True) for turn in turns]
    due = generate(hf, rendered)
    compare("local-chat-completions: generated texts of HF", got, due)


def openai_client(base, prompts, texts):
    client = openai.OpenAI(base_url=base, api_key="none")
    check("openai: models", [m.id for m in client.models.list().data] == ["model"] and client.models.retrieve("model").id == "model")
    whole = [client.completions.create(model="model", prompt=p, max_tokens=MAX_TOKENS, temperature=0, stop=STOPS).choices[0].text for p in prompts]
    check("openai: completions", whole == texts)
    together = client.completions.create(model="model", prompt=prompts, max_tokens=MAX_TOKENS, temperature=0, stop=STOPS)
    check("openai: a list of prompts", [c.text for c in together.choices] == texts)
    streamed = ["".join(part.choices[0].text for part in client.completions.create(model="model", prompt=p, max_tokens=MAX_TOKENS, temperature=0, stop=STOPS, stream=True)) for p in prompts]
    check("openai: streamed completions", streamed == texts)
    messages = [{"role": "user", "content": "Ivy has 91 apples and picks 32 more. How many apples does Ivy have now?"}]
    chat = client.chat.completions.create(model="model", messages=messages, max_completion_tokens=60, temperature=0, logprobs=True, top_logprobs=3, n=2)
    parts = list(client.chat.completions.create(model="model", messages=messages, max_completion_tokens=60, temperature=0, stream=True, stream_options={"include_usage": True}))
    text = "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    check("openai: a streamed chat is the chat", text == chat.choices[0].message.content == chat.choices[1].message.content, repr(text[:60]))
    check("openai: usage of a stream", parts[-1].usage.completion_tokens * 2 == chat.usage.completion_tokens)
    token = chat.choices[0].logprobs.content[0]
    check("openai: log-probabilities of a chat", token.top_logprobs[0].logprob == token.logprob and len(token.top_logprobs) == 3)
    for what, error, call in [
        ("unknown model", openai.NotFoundError, lambda: client.completions.create(model="gpt-4", prompt="a")),
        ("bad temperature", openai.BadRequestError, lambda: client.completions.create(model="model", prompt="a", temperature=-1)),
        ("unsupported parameter", openai.BadRequestError, lambda: client.completions.create(model="model", prompt="a", suffix="b")),
    ]:
        try:
            call()
            check(f"openai: {what}", False, "was accepted")
        except error as e:
            check(f"openai: {what}", bool(e.code), e.code)


def main():
    assay, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 40
    pairs = choice_pairs(n)
    prompts = [f"Q: {item['question']}\nA:" for item in rows("steps-gen.jsonl", n // 2)]
    lines = "".join(json.dumps({"context": c, "continuation": o}) + "\n" for c, o in pairs)
    out = subprocess.run([assay, "loglikelihood", str(MODEL), "--in", "-"], input=lines, capture_output=True, text=True, check=True).stdout
    own = [(line["logprob"], line["greedy"]) for line in map(json.loads, out.splitlines())]
    hf = HFLM(pretrained=str(MODEL), dtype="float64", device="cpu", batch_size=1, max_length=1024, experts_implementation="eager")
    hf_pairs = loglikelihoods(hf, pairs)
    check("assay loglikelihood against HF", furthest(own, hf_pairs) <= 1e-4, f"{furthest(own, hf_pairs):.2e} over {len(pairs)} pairs")
    hf_texts = generate(hf, prompts)
    server = subprocess.Popen([assay, "serve", str(MODEL), "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        base = server.stdout.readline().split()[-1]
        print(base)
        texts = harness(base, pairs, prompts, own, hf_pairs, hf_texts)
        openai_client(base, prompts, texts)
        chats(base, hf.tokenizer, [item["question"] for item in rows("steps-gen.jsonl", 8)], hf)
    finally:
        server.terminate()
    check("the server ends with exit code 0", server.wait(60) == 0)
    print("all agree" if not failures else f"{len(failures)} do not agree")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
