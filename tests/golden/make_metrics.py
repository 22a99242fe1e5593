"""Writes metrics.json: answers with references, and what the reference implementations of the
metrics make of them. Never run by a test.

    pip install pycocoevalcap==1.2 sacrebleu==2.6.0 jiwer==4.0.0 anls==0.0.2 rapidfuzz==3.14.6
    python make_metrics.py VQA_EVAL

VQA_EVAL is PythonEvaluationTools/vqaEvaluation/vqaEval.py of github.com/GT-Vision-Lab/VQA at commit
a013f0043c1e2cdc995922dfe257f7149aa9af06. The tokeniser of pycocoevalcap needs Java.
"""

import json
import re
import sys
import types
from pathlib import Path

import jiwer
import sacrebleu
from anls import anls_score
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer
from rapidfuzz.distance import Levenshtein

SHORT = [
    # answer, what ten people said
    ("yes", ["yes"] * 10),
    ("Yes.", ["yes"] * 9 + ["no"]),
    ("the two dogs", ["2 dogs"] * 4 + ["dogs"] * 5 + ["two"]),
    ("isnt it", ["isn't it"] * 3 + ["no"] * 7),
    ("red/blue", ["red and blue"] * 5 + ["red blue"] * 2 + ["blue"] * 3),
    ("1,000", ["1000"] * 6 + ["1,000"] * 3 + ["many"]),
    ("3.5 miles.", ["3.5 miles"] * 2 + ["3 miles"] * 8),
    ("None", ["0"] * 5 + ["zero"] * 4 + ["nobody"]),
    ("a red-and-white ball, i think!", ["red and white ball"] * 10),
    ("somebody'd", ["somebody'd"] * 5 + ["nobody"] * 5),
    ("ten o clock", ["10 oclock"] * 5 + ["10:00"] * 5),
    ("U.S.A.", ["usa"] * 7 + ["u.s.a."] * 3),
    ("", ["nothing"] * 6 + ["none"] * 4),
    ("yall've (maybe) @home", ["home"] * 3 + ["y'all"] * 7),
]

CAPTIONS = [
    ("a man is riding a horse on the beach",
     ["A man rides a horse along the beach.", "A man is riding a brown horse on a beach."]),
    ("two dogs play with a ball in the park",
     ["Two dogs are playing with a red ball.", "The dogs play in the park, near a tree."]),
    ("a red bus drives down the street",
     ["A red bus is driving down a busy street.", "The bus isn't moving."]),
    ("a plate of food", ["A plate of pasta and vegetables on a wooden table.",
                         "Somebody's lunch: pasta, peppers and cheese."]),
    ("the the the the cat", ["A cat sits on the mat.", "The cat is sitting; it doesn't move!"]),
    ("an airport with 2,500 people and 3.5 planes",
     ["An airport with 2,500 people.", "Planes wait at the airport."]),
]

SPOKEN = [
    ("the quick brown fox jumps", "the quick brown fox jumped"),
    ("Hello world", "hello, world"),
    ("a b c d e", "a c e"),
    ("naïve café", "naive café"),
    ("one two three four", "three four"),
    ("  spaces   inside ", "spaces inside"),
    ("completely different", "nothing alike at all"),
    ("", "something"),
]

FORMULAS = [
    (r"\frac{a}{b}", r"\frac{a}{b}"),
    (r"\frac ab", r"\frac{a}{b}"),
    (r"\left( x^2 + 1 \right)", r"(x^{2}+1)"),
    (r"\sum_{i=0}^n i^2", r"\sum _ { i = 1 } ^ { n } i ^ { 2 }"),
    (r"\alpha\beta \{x\}", r"\alpha \gamma\{x\}"),
    ("", r"\pi r^2"),
]


def vqa(path):
    # It is written in Python 2, where print is a statement.
    source = re.sub(r'print "(.*)"', r'print("\1")', Path(path).read_text())
    module = types.ModuleType("vqa_eval")
    exec(compile(source, path, "exec"), module.__dict__)

    class Asked:
        def __init__(self, qa):
            self.qa = qa

        def getQuesIds(self):
            return list(self.qa)

    people = lambda said: [{"answer": text, "answer_id": n} for n, text in enumerate(said)]
    truth = {n: {"answers": people(said), "question_type": "", "answer_type": ""}
             for n, (_, said) in enumerate(SHORT)}
    given = {n: {"answer": answer} for n, (answer, _) in enumerate(SHORT)}
    judge = module.VQAEval(Asked(truth), Asked(given), n=12)
    judge.evaluate()
    form = lambda text: judge.processDigitArticle(judge.processPunctuation(text))
    return [
        {"answer": answer, "references": said, "normalised": form(answer.strip()),
         "accuracy": judge.evalQA[n] / 100}
        for n, (answer, said) in enumerate(SHORT)
    ], [[word, form(word)] for word in judge.contractions if word == word.lower()]


def formula_tokens(text):
    tokens = re.findall(r"\\[A-Za-z]+|\\.|\S", text)
    return [token for token in tokens if token not in (r"\left", r"\right")]


def main():
    answers, contractions = vqa(sys.argv[1])
    answered = {n: [answer] for n, (answer, _) in enumerate(CAPTIONS)}
    said = {n: references for n, (_, references) in enumerate(CAPTIONS)}
    caption = lambda texts: {n: [{"caption": text} for text in of] for n, of in texts.items()}
    tokens = PTBTokenizer()
    cut_answered, cut_said = tokens.tokenize(caption(answered)), tokens.tokenize(caption(said))
    _, cider = Cider().compute_score(cut_said, cut_answered)
    bleu = sacrebleu.corpus_bleu(
        [answer for answer, _ in CAPTIONS], [list(column) for column in zip(*said.values())])
    tokenize = sacrebleu.BLEU().tokenizer
    odd = ["It costs $3.50, or 1,000 yen -- (roughly) 5-6 times.", "a.b,c 'quoted' &amp; x/y"]
    golden = {
        "vqa": answers,
        "contractions": contractions,
        "anls": [{"answer": answer, "references": said,
                  "anls": anls_score(prediction=answer, gold_labels=said, threshold=0.5)}
                 for answer, said in SHORT],
        "captions": [{"answer": answer, "references": references, "cider": float(score),
                      "words": [line.split() for line in cut_answered[n] + cut_said[n]]}
                     for n, ((answer, references), score) in enumerate(zip(CAPTIONS, cider))],
        "bleu": bleu.score,
        "bleu_tokens": [[line, tokenize(line).split()] for line in odd],
        "spoken": [{"answer": answer, "reference": reference,
                    "wer": jiwer.wer(reference, answer), "cer": jiwer.cer(reference, answer)}
                   for answer, reference in SPOKEN],
        "all_wer": jiwer.wer([r for _, r in SPOKEN], [a for a, _ in SPOKEN]),
        "all_cer": jiwer.cer([r for _, r in SPOKEN], [a for a, _ in SPOKEN]),
        "formulas": [{"answer": answer, "reference": reference,
                      "edits": Levenshtein.distance(formula_tokens(answer),
                                                    formula_tokens(reference)),
                      "length": len(formula_tokens(reference))}
                     for answer, reference in FORMULAS],
    }
    path = Path(__file__).with_name("metrics.json")
    path.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")


main()
