<?php

/**
 * Provides what trigger() must refuse, and how, and what it must take: the same for every ClientInterface, native or double.
 *
 * Each case: label => [closure that triggers, exception class or null, exact message]. Sizes are for a max_message_size of 1048576.
 */

declare(strict_types=1);

use Proletarier\ClientInterface as Client;
use Proletarier\Confirm;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Exception\MessageTooLarge;
use Proletarier\Exception\Unencodable;
use Proletarier\Tests\Fixture;

$name = static fn (string $name): Closure => static fn (Client $client) => $client->trigger($name);
$event = static fn (object $event, mixed $params = []): Closure => static fn (Client $client) => $client->trigger($event, $params);
$params = static fn (mixed $params): Closure => static fn (Client $client) => $client->trigger('x', $params);
$options = static fn (mixed $options): Closure => static fn (Client $client) => $client->trigger('x', [], $options);
$nested = static function (int $levels, mixed $leaf = 1): array {
    for ($value = $leaf; $levels > 0; $levels--) {
        $value = [$value];
    }

    return $value;
};
$itself = new stdClass();
$itself->me = $itself;

return [
    // Names
    'name: one byte' => [$name('a'), null, ''],
    'name: 255 bytes' => [$name(str_repeat('a', 255)), null, ''],
    'name: UTF-8' => [$name('größe.geändert'), null, ''],
    'name: digits' => [$name('00'), null, ''],
    'name: a star in it' => [$name('account.*'), null, ''],
    'name: empty' => [$name(''), InvalidArgument::class, "an event's name is empty: 1 to 255 bytes of UTF-8 are allowed"],
    'name: 0' => [
        $name('0'),
        InvalidArgument::class,
        "an event can't be named '0', which an EventManager treats specially ('', '0' and '*' are reserved)",
    ],
    'name: *' => [
        $name('*'),
        InvalidArgument::class,
        "an event can't be named '*', which an EventManager treats specially ('', '0' and '*' are reserved)",
    ],
    'name: 256 bytes' => [
        $name(str_repeat('a', 256)),
        InvalidArgument::class,
        "an event's name has 256 bytes: 1 to 255 bytes of UTF-8 are allowed",
    ],
    'name: 256 bytes in 128 characters' => [
        $name(str_repeat('ö', 128)),
        InvalidArgument::class,
        "an event's name has 256 bytes: 1 to 255 bytes of UTF-8 are allowed",
    ],
    'name: not UTF-8' => [
        $name("ab\xFFc"),
        InvalidArgument::class,
        "an event's name is not valid UTF-8 at byte 2: 1 to 255 bytes of UTF-8 are allowed",
    ],

    // Events
    'event: an object' => [$event(new Fixture\TriggeredEvent('x', ['a' => 1])), null, ''],
    'event: params beside its own' => [$event(new Fixture\TriggeredEvent('x', ['a' => 1]), ['b' => 2]), null, ''],
    'event: params in an ArrayObject' => [$event(new Fixture\TriggeredEvent('x', new ArrayObject(['a' => 1]))), null, ''],
    'event: another object' => [
        $event(new ArrayObject()),
        InvalidArgument::class,
        'event is ArrayObject, which has no getName() and getParams(): give a name or an event',
    ],
    'event: a wrong name' => [
        $event(new Fixture\TriggeredEvent('')),
        InvalidArgument::class,
        "an event's name is empty: 1 to 255 bytes of UTF-8 are allowed",
    ],
    'event: no name' => [
        $event(new Fixture\TriggeredEvent(null)),
        InvalidArgument::class,
        "an event's name is null: 1 to 255 bytes of UTF-8 are allowed",
    ],

    // Params
    'params: none' => [$params([]), null, ''],
    'params: nested' => [$params(['a' => ['b' => [1, 2.0, 'ü', null, true, PHP_INT_MAX]], 'list' => [[], new stdClass()]]), null, ''],
    'params: public properties' => [$params(['o' => new Fixture\PublicProperties()]), null, ''],
    'params: JsonSerializable' => [$params(['o' => new Fixture\Serializable(['a' => 1])]), null, ''],
    'params: a backed enum' => [$params(['confirm' => Confirm::Accepted]), null, ''],
    'params: a DateTime' => [$params(['at' => new DateTimeImmutable('2026-01-01 12:00:00')]), null, ''],
    'params: an empty ArrayObject' => [$params(['list' => new ArrayObject()]), null, ''],
    'params: 128 levels' => [$params($nested(128)), null, ''],
    'params: a target' => [
        static fn (Client $client) => $client->trigger('x', new Fixture\PrivateProperties(), ['a' => 1]),
        InvalidArgument::class,
        'params is Proletarier\Tests\Fixture\PrivateProperties: an event for another process has no target, give the params as 2nd '
        . 'argument and the options as 3rd',
    ],
    'params: null' => [
        $params(null),
        InvalidArgument::class,
        'params is null: an event for another process has no target, give the params as 2nd argument and the options as 3rd',
    ],
    'params: private properties' => [
        $params(['account' => new Fixture\PrivateProperties()]),
        Unencodable::class,
        "params['account'] is Proletarier\Tests\Fixture\PrivateProperties: not JsonSerializable, no public properties",
    ],
    'params: private properties, deeper' => [
        $params(['a' => [1, ['b' => new Fixture\PrivateProperties()]]]),
        Unencodable::class,
        "params['a'][1]['b'] is Proletarier\Tests\Fixture\PrivateProperties: not JsonSerializable, no public properties",
    ],
    'params: private properties, in an object' => [
        $params(['a' => (object) ['b' => new Fixture\PrivateProperties()]]),
        Unencodable::class,
        "params['a']['b'] is Proletarier\Tests\Fixture\PrivateProperties: not JsonSerializable, no public properties",
    ],
    'params: private properties, from jsonSerialize()' => [
        $params(['a' => new Fixture\Serializable(['b' => new Fixture\PrivateProperties()])]),
        Unencodable::class,
        "params['a']['b'] is Proletarier\Tests\Fixture\PrivateProperties: not JsonSerializable, no public properties",
    ],
    'params: a closure' => [
        $params(['f' => static fn () => 1]),
        Unencodable::class,
        "params['f'] is a Closure, which has no meaning in another process",
    ],
    'params: a resource' => [
        $params(['file' => STDERR]),
        Unencodable::class,
        "params['file'] is a resource, which has no meaning in another process",
    ],
    'params: an enum without values' => [
        $params(['suit' => Fixture\Suit::Hearts]),
        Unencodable::class,
        "params['suit'] is Proletarier\Tests\Fixture\Suit, an enum without values",
    ],
    'params: INF' => [$params(['n' => INF]), Unencodable::class, "params['n'] is INF, which JSON has no number for"],
    'params: -INF' => [$params(['n' => -INF]), Unencodable::class, "params['n'] is -INF, which JSON has no number for"],
    'params: NAN' => [$params([[1, NAN]]), Unencodable::class, 'params[0][1] is NAN, which JSON has no number for'],
    'params: not UTF-8' => [$params(['s' => "ab\xFF"]), Unencodable::class, "params['s'] is not valid UTF-8"],
    'params: a key that is not UTF-8' => [
        $params(['a' => ["\xFF" => 1]]),
        Unencodable::class,
        "params['a'] has a key that is not valid UTF-8",
    ],
    'params: 129 levels' => [
        $params($nested(129)),
        Unencodable::class,
        'params are nested deeper than 128 levels, or contain themselves',
    ],
    'params: recursion' => [
        $params(['a' => $itself]),
        Unencodable::class,
        'params are nested deeper than 128 levels, or contain themselves',
    ],
    'params: as large as may be' => [$params(['a' => str_repeat('x', 1048576 - 8)]), null, ''],
    'params: one byte more' => [
        $params(['a' => str_repeat('x', 1048576 - 7)]),
        MessageTooLarge::class,
        'params are 1048577 bytes of JSON: at most 1048576 are allowed (broker.max_message_size)',
    ],

    // Options
    'options: null means not given' => [
        $options(['delay' => null, 'key' => null, 'confirm' => null, 'headers' => null, 'at' => null]),
        null,
        '',
    ],
    'options: confirm' => [$options(['confirm' => 'none']), null, ''],
    'options: confirm as enum' => [$options(['confirm' => Confirm::None]), null, ''],
    'options: delay of 0' => [$options(['delay' => 0]), null, ''],
    'options: delay' => [$options(['delay' => 0.5, 'key' => str_repeat('k', 255), 'queue' => str_repeat('q', 64)]), null, ''],
    'options: priority' => [$options(['priority' => 'high']), null, ''],
    'options: priority with key' => [$options(['priority' => 'normal', 'key' => 'k']), null, ''],
    'options: at' => [$options(['at' => new DateTimeImmutable('+1 hour')]), null, ''],
    'options: expires' => [$options(['expires' => 60]), null, ''],
    'options: expires as time' => [$options(['expires' => new DateTime('+1 hour')]), null, ''],
    'options: id' => [$options(['id' => 'Order:7_a-b.' . str_repeat('c', 52)]), null, ''],
    'options: headers' => [$options(['headers' => ['traceparent' => '00-1-2-01', str_repeat('n', 64) => str_repeat('v', 1024)]]), null, ''],
    'options: unique_for' => [$options(['unique' => 'u', 'unique_for' => 60]), null, ''],
    'options: spool' => [$options(['spool' => true]), null, ''],
    'options: null' => [$options(null), InvalidArgument::class, 'options is null: give a map'],
    'options: unknown, near' => [
        $options(['dealy' => 5]),
        InvalidArgument::class,
        "options['dealy']: unknown option; did you mean delay? Allowed: confirm, delay, at, expires, queue, priority, key, unique, unique_for, id, headers, spool",
    ],
    'options: unknown, far' => [
        $options(['colour' => 'red']),
        InvalidArgument::class,
        "options['colour']: unknown option. Allowed: confirm, delay, at, expires, queue, priority, key, unique, unique_for, id, headers, spool",
    ],
    'options: unknown, though null' => [
        $options(['colour' => null]),
        InvalidArgument::class,
        "options['colour']: unknown option. Allowed: confirm, delay, at, expires, queue, priority, key, unique, unique_for, id, headers, spool",
    ],
    'options: a list' => [
        $options(['accepted']),
        InvalidArgument::class,
        "options['0']: unknown option. Allowed: confirm, delay, at, expires, queue, priority, key, unique, unique_for, id, headers, spool",
    ],
    'confirm: a word' => [
        $options(['confirm' => 'sometimes']),
        InvalidArgument::class,
        "options['confirm']: \"sometimes\" is not allowed: give 'none', 'deferred', 'accepted', 'synced' or a Proletarier\Confirm",
    ],
    'confirm: a bool' => [
        $options(['confirm' => true]),
        InvalidArgument::class,
        "options['confirm']: true is not allowed: give 'none', 'deferred', 'accepted', 'synced' or a Proletarier\Confirm",
    ],
    'delay: negative' => [
        $options(['delay' => -1]),
        InvalidArgument::class,
        "options['delay']: -1 is not allowed: give seconds, 0 or more",
    ],
    'delay: a negative fraction' => [
        $options(['delay' => -0.5]),
        InvalidArgument::class,
        "options['delay']: -0.5 is not allowed: give seconds, 0 or more",
    ],
    'delay: a string' => [
        $options(['delay' => '5']),
        InvalidArgument::class,
        "options['delay']: \"5\" is not allowed: give seconds, 0 or more",
    ],
    'delay: INF' => [
        $options(['delay' => INF]),
        InvalidArgument::class,
        "options['delay']: INF is not allowed: give seconds, 0 or more",
    ],
    'delay: an array' => [
        $options(['delay' => [5]]),
        InvalidArgument::class,
        "options['delay']: array is not allowed: give seconds, 0 or more",
    ],
    'at: a string' => [
        $options(['at' => '2030-01-01']),
        InvalidArgument::class,
        "options['at']: \"2030-01-01\" is not allowed: give a DateTimeInterface",
    ],
    'at: with delay' => [
        $options(['at' => new DateTimeImmutable('+1 hour'), 'delay' => 5]),
        InvalidArgument::class,
        "options['at']: give either delay or at",
    ],
    'expires: 0' => [
        $options(['expires' => 0]),
        InvalidArgument::class,
        "options['expires']: 0 is not allowed: give seconds, more than 0, or a DateTimeInterface",
    ],
    'queue: empty' => [
        $options(['queue' => '']),
        InvalidArgument::class,
        "options['queue']: \"\" is not allowed: give a string of 1 to 64 bytes",
    ],
    'queue: 65 bytes' => [
        $options(['queue' => str_repeat('q', 65)]),
        InvalidArgument::class,
        "options['queue']: a string of 65 bytes is not allowed: give a string of 1 to 64 bytes",
    ],
    'priority: a word' => [
        $options(['priority' => 'urgent']),
        InvalidArgument::class,
        "options['priority']: \"urgent\" is not allowed: give 'high', 'normal' or 'low'",
    ],
    'priority: a number' => [
        $options(['priority' => 1]),
        InvalidArgument::class,
        "options['priority']: 1 is not allowed: give 'high', 'normal' or 'low'",
    ],
    'priority: with key' => [
        $options(['priority' => 'low', 'key' => 'k']),
        InvalidArgument::class,
        "options['priority']: events of one key run in the order in which they come: give either key or priority",
    ],
    'key: an integer' => [
        $options(['key' => 7]),
        InvalidArgument::class,
        "options['key']: 7 is not allowed: give a string of 1 to 255 bytes",
    ],
    'key: 256 bytes' => [
        $options(['key' => str_repeat('k', 256)]),
        InvalidArgument::class,
        "options['key']: a string of 256 bytes is not allowed: give a string of 1 to 255 bytes",
    ],
    'unique: 256 bytes' => [
        $options(['unique' => str_repeat('u', 256)]),
        InvalidArgument::class,
        "options['unique']: a string of 256 bytes is not allowed: give a string of 1 to 255 bytes",
    ],
    'id: a space' => [
        $options(['id' => 'a b']),
        InvalidArgument::class,
        "options['id']: \"a b\" is not allowed: give a string of 1 to 64 bytes of A-Z, a-z, 0-9, \".\", \"_\", \":\" and \"-\"",
    ],
    'id: 65 bytes' => [
        $options(['id' => str_repeat('a', 65)]),
        InvalidArgument::class,
        "options['id']: a string of 65 bytes is not allowed: give a string of 1 to 64 bytes of A-Z, a-z, 0-9, \".\", \"_\", \":\" and \"-\"",
    ],
    'headers: a string' => [
        $options(['headers' => 'a']),
        InvalidArgument::class,
        "options['headers']: \"a\" is not allowed: give a map of strings",
    ],
    'headers: 33' => [
        $options(['headers' => array_combine(array_map(static fn ($n) => "h$n", range(1, 33)), array_fill(0, 33, 'v'))]),
        InvalidArgument::class,
        "options['headers'] has 33 entries: at most 32 are allowed",
    ],
    'headers: a list' => [
        $options(['headers' => ['a']]),
        InvalidArgument::class,
        "a name in options['headers']: 0 is not allowed: give a string of 1 to 64 bytes",
    ],
    'headers: a name of 65 bytes' => [
        $options(['headers' => [str_repeat('n', 65) => 'v']]),
        InvalidArgument::class,
        "a name in options['headers']: a string of 65 bytes is not allowed: give a string of 1 to 64 bytes",
    ],
    'headers: an integer' => [
        $options(['headers' => ['a' => 1]]),
        InvalidArgument::class,
        "options['headers']['a']: 1 is not allowed: give a string of at most 1024 bytes",
    ],
    'headers: a value of 1025 bytes' => [
        $options(['headers' => ['a' => str_repeat('v', 1025)]]),
        InvalidArgument::class,
        "options['headers']['a']: a string of 1025 bytes is not allowed: give a string of at most 1024 bytes",
    ],
    'spool: a string' => [
        $options(['spool' => 'no']),
        InvalidArgument::class,
        "options['spool']: \"no\" is not allowed: give true or false",
    ],
    'unique_for: without unique' => [
        $options(['unique_for' => 60]),
        InvalidArgument::class,
        "options['unique_for']: it tells how long options['unique'] is held: give that too",
    ],
    'unique_for: 0' => [
        $options(['unique' => 'u', 'unique_for' => 0]),
        InvalidArgument::class,
        "options['unique_for']: 0 is not allowed: give seconds, more than 0",
    ],
];
