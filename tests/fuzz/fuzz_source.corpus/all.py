@deco(lambda: 1)
async def f(a: int = [x for x in y], *b, **c) -> "C":
    global g
    def g(): return f"{(lambda: 1)!r:>{w}} {{}} {', '.join(i for i in j)}"
class C(B, metaclass=M): x = {k: v for k, v in {a for a in b} if lambda: c}
x = rb'\'' + '''a
b''' ; y = 0x1for
