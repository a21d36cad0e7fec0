"""What the people of `serve --demo` say."""

PEOPLE = ("Mira", "Jonas", "Priya", "Teo", "Lou")

Script = tuple[tuple[str, str], ...]

CHATTER: dict[str, tuple[Script, ...]] = {
    "blue-stage": (
        (
            ("Mira", "Soundcheck just ended, that bass is going to be something"),
            ("Teo", "I can hear it over by the food trucks already"),
            ("Mira", "Come to the left side, there is still room at the rail"),
            ("Teo", "On my way with two lemonades 🍋"),
        ),
        (
            ("Priya", "Who is on after the brass band?"),
            ("Jonas", "The Paper Lanterns, at half past nine I think"),
            ("Priya", "Perfect, time for noodles first"),
        ),
        (
            ("Teo", "Best view is next to the mixing desk, and it is not so loud there"),
            ("Jonas", "Second that. Earplugs at the info tent are free, by the way"),
            ("Teo", "Good to know, mine are at home of course"),
        ),
        (
            ("Jonas", "The light over the stage right now 😍"),
            ("Mira", "Golden hour and a brass band, I could stay for ever"),
        ),
    ),
    "main-stage": (
        (
            ("Jonas", "Main stage is filling up, come early if you want to sit on the hill"),
            ("Priya", "How is the queue at gate B?"),
            ("Jonas", "Five minutes. Gate A was half an hour"),
            ("Priya", "Thanks, B it is"),
        ),
        (
            ("Mira", "Did anybody get the setlist?"),
            ("Teo", "No, but they opened with the slow one yesterday"),
            ("Mira", "I would cry. In a good way"),
        ),
        (
            ("Lou", "The water points behind the sound tower work again"),
            ("Teo", "You are a hero, Lou"),
            ("Lou", "Bring a bottle, we have no cups"),
        ),
        (("Priya", "That drum solo 🥁"), ("Jonas", "My heart is still in it"), ("Mira", "ENCORE")),
    ),
    "lost-and-found": (
        (
            ("Lou", "Lost and found is in the white tent by gate C, open until two"),
            ("Mira", "Somebody found a blue scarf near the coffee cart, I left it with Lou"),
            ("Lou", "Got it, it is on the table"),
        ),
        (
            ("Teo", "Found: one very small rubber boot, left foot"),
            ("Lou", "That makes three left boots today"),
            ("Teo", "There is a story in this"),
        ),
        (
            ("Priya", "Has anybody seen a silver water bottle with a fox on it?"),
            ("Jonas", "There was one on the bench at the hill, I will look"),
            ("Jonas", "Yes! With the fox. Bringing it to the tent"),
            ("Priya", "You made my evening"),
        ),
    ),
    "": (
        (("Mira", "Where is everybody standing?"), ("Teo", "Near the big oak, with the yellow flag")),
        (("Jonas", "The crêpes are worth the wait"), ("Priya", "Savoury or sweet?"), ("Jonas", "Yes")),
    ),
}

ANSWERS: tuple[tuple[frozenset[str], str, tuple[str, ...]], ...] = (
    (
        frozenset({"lost", "found", "bag", "phone", "keys", "wallet", "jacket", "bottle", "rucksack", "backpack"}),
        "Lou",
        (
            "Lost things end up in the white tent by gate C. Tell me what it looks like and I keep an eye open",
            "Come by the white tent at gate C, we have a whole table of things waiting for their people",
        ),
    ),
    (
        frozenset({"help", "hurt", "medic", "doctor", "aid", "emergency", "ambulance"}),
        "Lou",
        ("This is only a demo and I am a bot: if it is serious, talk to a steward or call the emergency number",),
    ),
    (
        frozenset({"water", "thirsty", "drink", "coffee", "beer", "lemonade"}),
        "Teo",
        ("Water is free behind the sound tower, and the coffee cart by the oak has the shortest queue",),
    ),
    (
        frozenset({"eat", "food", "hungry", "noodles", "vegan", "crêpes"}),
        "Jonas",
        ("Food trucks are along the river side. The noodles are vegan and very good",),
    ),
    (
        frozenset({"when", "time", "start", "starts", "playing", "plays", "set", "next", "lineup"}),
        "Jonas",
        ("The Paper Lanterns at half past nine on the blue stage, then fire on the hill at eleven",),
    ),
    (
        frozenset({"toilet", "toilets", "bathroom", "loo", "restroom"}),
        "Priya",
        ("Left of the main stage and behind gate B; the ones at gate B are the quiet ones",),
    ),
    (
        frozenset({"rain", "weather", "cold", "storm"}),
        "Mira",
        ("Dry until midnight, they say. I brought a poncho anyway",),
    ),
    (
        frozenset({"hello", "hi", "hey"}),
        "Mira",
        ("Hi there! Nice that you are here", "Hello! Where do you stand?"),
    ),
    (
        frozenset({"bot", "robot", "real", "bots", "human"}),
        "Teo",
        ("We are the demo's bots, five of us. Everything else here is the real thing",),
    ),
)

FALLBACK = (
    "Good question. The people in yellow vests know everything",
    "No idea, I only know where the noodles are (and that I am a demo bot)",
    "I would ask at the info tent, they are lovely",
)
