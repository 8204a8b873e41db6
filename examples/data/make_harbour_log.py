#!/usr/bin/env python3
# Writes harbour_log.txt, the text that tools/demo replicates: a month in the log of a harbour that
# does not exist. The same lines every time:  examples/data/make_harbour_log.py > harbour_log.txt
import datetime
import random
import sys

LINES = 12_000
SHIPS = ('Amber Wren', 'Blue Petrel', 'Cormorant', 'Dunlin', 'Eider', 'Fulmar', 'Grey Plover',
         'Heron', 'Iris', 'Jackdaw', 'Kittiwake', 'Lapwing', 'Merganser', 'Nightjar', 'Osprey',
         'Pintail', 'Quail', 'Redshank', 'Sandpiper', 'Tern', 'Umbra', 'Veery', 'Whimbrel',
         'Yellowhammer', 'Zeearend', 'Ålesund Star', 'Île aux Moines', 'Łódź', 'Ærø', 'Þingvellir')
GOODS = ('apples', 'bricks', 'cable drums', 'coffee', 'copper', 'flour', 'glass', 'grain',
         'machine parts', 'oranges', 'paper', 'rails', 'salt', 'steel coils', 'tea', 'timber',
         'turbine blades', 'wool')
QUAYS = ('North Mole', 'Fish Quay', 'Old Basin', 'Timber Wharf', 'Deepwater 1', 'Deepwater 2')
SKIES = ('clear', 'fog', 'rain', 'sleet', 'haze', 'low cloud')
WINDS = ('N', 'NE', 'E', 'SE', 'S', 'SW', 'W', 'NW')


def event(chance):
    ship, quay = chance.choice(SHIPS), chance.choice(QUAYS)
    kinds = (
        lambda: f'{ship} asks for a pilot off the {quay}, draught {chance.randint(24, 118) / 10} m',
        lambda: f'{ship} made fast at {quay} with {chance.randint(2, 6)} lines'
                f' and {chance.randint(0, 3)} tugs',
        lambda: f'{ship} lands {chance.randint(3, 900)} t of {chance.choice(GOODS)} at {quay}',
        lambda: f'{ship} loads {chance.randint(3, 900)} t of {chance.choice(GOODS)} at {quay}',
        lambda: f'{ship} casts off from {quay}, bound out, {chance.randint(4, 31)} aboard',
        lambda: f'tide gauge at {quay} reads {chance.randint(-12, 480) / 100:.2f} m',
        lambda: f'weather: wind {chance.choice(WINDS)} {chance.randint(0, 10)},'
                f' {chance.choice(SKIES)}, {chance.randint(-8, 29)} °C',
        lambda: f'crane {chance.randint(1, 9)} at {quay} lifted {chance.randint(1, 64)} boxes'
                f' for {ship}, peak load {chance.randint(20, 410) / 10} t',
        lambda: f'buoy {chance.randint(1, 40)} reports battery {chance.randint(31, 100)} %',
    )
    return chance.choice(kinds)()


def main():
    chance = random.Random(1851)
    at = datetime.datetime(2031, 3, 1, 0, 0, 0)
    for number in range(1, LINES + 1):
        at += datetime.timedelta(seconds=chance.randint(20, 420))
        sys.stdout.write(f'{number:05} {at:%Y-%m-%d %H:%M:%S} {event(chance)}\n')


if __name__ == '__main__':
    main()
