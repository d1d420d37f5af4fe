"""The data of the demonstration community: users, photos, likes, comments and follows."""

from __future__ import annotations

from dataclasses import dataclass

USERNAME = "demo"
PASSWORD = "picshare-demo"  # noqa: S105 - published at every start


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoUser:
    """A user of the community."""

    username: str
    name: str
    bio: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoPhoto:
    """A photo; `likes` are usernames, `comments` are (username, text), both in the order in which they are made."""

    file: str
    author: str
    caption: str
    alt_text: str
    tags: tuple[str, ...]
    location: str | None = None
    likes: tuple[str, ...] = ()
    comments: tuple[tuple[str, str], ...] = ()


USERS = (
    DemoUser(username=USERNAME, name="Dana Demo", bio="Trying things out. Sign in as me and look around."),
    DemoUser(username="ada", name="Ada Lindqvist", bio="Two cats, one camera."),
    DemoUser(username="bruno", name="Bruno Castro", bio="Rockets, bridges, anything with too many bolts."),
    DemoUser(username="chiara", name="Chiara Rossi", bio="Gardener. Mostly dahlias."),
    DemoUser(username="emeka", name="Emeka Obi", bio="I collect portraits of people who left the ground."),
    DemoUser(username="freya", name="Freya Holm", bio="Night sky, long exposures, cold fingers."),
    DemoUser(username="hana", name="Hana Sato", bio="Walking through old cities, slowly."),
    DemoUser(username="liam", name="Liam Byrne", bio="I only look. Sometimes I clap."),
)

# Oldest first.
PHOTOS = (
    DemoPhoto(
        file="temple.jpg",
        author="hana",
        caption="The hill above the lake, just after the crowds had gone. (Photo: danielbuechele, CC BY 2.0)",
        alt_text="A many-storeyed temple with green and yellow roofs above trees, a lake behind it",
        tags=("architecture", "travel"),
        location="Summer Palace, Beijing",
        likes=("ada", "chiara", "liam"),
        comments=(("chiara", "Those roofs! How long is the climb?"), ("hana", "Twenty minutes, with pauses for tea.")),
    ),
    DemoPhoto(
        file="rocket.jpg",
        author="bruno",
        caption="Standing ready at dusk. (Photo: SpaceX, CC0)",
        alt_text="A white rocket on its launch pad between four lattice towers under a dark blue sky",
        tags=("rocket", "space", "dusk"),
        location="Cape Canaveral, Florida",
        likes=("emeka", "freya", "demo", "liam"),
        comments=(("freya", "Four lightning towers and not a cloud. Lucky evening."),),
    ),
    DemoPhoto(
        file="astronaut.jpg",
        author="emeka",
        caption="Eileen Collins, first woman to command a space shuttle. (Photo: NASA, public domain)",
        alt_text="A smiling astronaut in an orange suit, her helmet beside her, a model shuttle behind",
        tags=("space", "portrait"),
        likes=("bruno", "freya", "ada"),
        comments=(("bruno", "That model on the shelf is better built than my car."),),
    ),
    DemoPhoto(
        file="flower.jpg",
        author="chiara",
        caption="The first dahlia that the slugs have left to me. (Photo: vultilion, CC BY 2.0)",
        alt_text="A round orange dahlia in full bloom against dark green leaves",
        tags=("flowers", "garden", "macro"),
        likes=("hana", "ada", "demo", "emeka", "liam"),
        comments=(("ada", "Worth the war."), ("demo", "What a colour!")),
    ),
    DemoPhoto(
        file="galaxies.jpg",
        author="freya",
        caption="Every speck is a galaxy. I keep coming back to this one. (Photo: NASA, public domain)",
        alt_text="Thousands of small galaxies of every colour on a black sky",
        tags=("space", "astronomy", "night"),
        likes=("emeka", "bruno", "hana"),
        comments=(("emeka", "I tried to count them once."), ("freya", "And?"), ("emeka", "I recommend against it.")),
    ),
    DemoPhoto(
        file="cat.jpg",
        author="ada",
        caption="Chelsea has heard the fridge. (Photo: Stefan van der Walt, CC0)",
        alt_text="The face of a ginger tabby cat with green eyes, looking past the camera",
        tags=("cat", "pets"),
        location="The kitchen",
        likes=("chiara", "hana", "freya", "demo", "liam", "bruno"),
        comments=(("liam", "That is the face of a plan."),),
    ),
    DemoPhoto(
        file="coffee.jpg",
        author=USERNAME,
        caption="Monday, the short version. (Photo: Rachel Michetti, Pikolo Espresso Bar, CC0)",
        alt_text="An espresso in a red cup on a red saucer with a spoon, on a wooden table",
        tags=("coffee", "morning"),
        location="Montréal",
        likes=("ada", "bruno", "chiara", "freya"),
        comments=(("ada", "Save me one."), ("hana", "The saucer matches the table. Was that on purpose?")),
    ),
)

# Follower -> followed users; every user's photos are in at least one feed.
FOLLOWS: dict[str, tuple[str, ...]] = {
    USERNAME: ("ada", "bruno", "chiara", "emeka", "freya", "hana"),
    "ada": (USERNAME, "chiara", "hana", "emeka"),
    "bruno": (USERNAME, "emeka", "freya", "ada"),
    "chiara": (USERNAME, "ada", "hana"),
    "emeka": ("bruno", "freya", "chiara"),
    "freya": (USERNAME, "bruno", "emeka", "hana", "ada"),
    "hana": ("ada", "chiara", "freya"),
    "liam": (USERNAME, "ada", "bruno", "chiara", "emeka", "freya", "hana"),
}
