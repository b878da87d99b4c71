<?php

declare(strict_types=1);

namespace Proletarier\Tests\Extension;

use PHPUnit\Framework\TestCase;
use Proletarier\Exception\Configuration;

/**
 * What proletarier_run() refuses, before it starts anything.
 */
final class RunTest extends TestCase
{
    public function wrong(): iterable
    {
        $do = static fn () => null;
        yield 'role' => [[], ['role' => 'workers'], "role: \"workers\" is not allowed: give 'all', 'broker' or 'worker'; did you mean 'worker'?"];
        yield 'events' => [[], ['events' => 'nofunction'], 'events: "nofunction" is not allowed: give a callable'];
        yield 'logger' => [[], ['logger' => new \stdClass()], "logger: stdClass is not allowed: give an object with PSR-3's log()"];
        yield 'a setting' => [[], ['worker' => ['pool_sise' => 5]], 'worker.pool_sise: unknown key (its value: 5); did you mean worker.pool_size?'];
        yield 'an object as setting' => [[], ['worker' => ['bind' => new \stdClass()]], 'worker.bind: an object (stdClass) is not allowed in settings'];
        yield 'no directory' => [[], [], 'state_dir'];
        yield 'a string' => [['x'], [], 'listeners[0]: "x" is no entry: an entry is [event, listener, priority?, options?]'];
        yield 'no listener' => [[['x']], [], 'listeners[0]: the listener is missing'];
        yield 'not callable' => [['mail' => ['x', 'App\Missing']], [], 'listeners[\'mail\']: "App\\\\Missing" is not callable'];
        yield 'no such method' => [[['x', [new \ArrayObject(), 'missing']]], [], 'listeners[0]: [ArrayObject, "missing"] is not callable'];
        yield 'a name' => [[['', $do]], [], "listeners[0]: an event's name is empty"];
        yield 'no name' => [[[5, $do]], [], 'listeners[0]: the event is 5: give a name, or \'*\' for all'];
        yield 'a priority' => [[['x', $do, 'high']], [], 'listeners[0]: the priority is "high": give an integer'];
        yield 'an option' => [[['x', $do, 1, ['tiemout' => 5]]], [], 'listeners[0]: tiemout: unknown key (its value: 5); did you mean timeout?'];
        yield 'too much' => [[['x', $do, 1, [], 5]], [], "listeners[0]: nothing belongs at '4'"];
        yield 'an object' => [[new \ArrayObject()], [], 'listeners[0]: ArrayObject has no attach()'];
        yield 'a key' => [['a' => ['event' => 'x', 'listener' => $do, 'retries' => 5]], [], "listeners['a']: retries: unknown key"];
        yield 'two alike' => [
            [['x', $do, 1, ['id' => 'same']], 'same' => ['event' => 'y', 'listener' => $do]],
            [],
            "listeners['same']: its identity is \"same\", as that of listeners[0]",
        ];
    }

    /**
     * @dataProvider wrong
     */
    public function testNamesWhatIsWrong(array $listeners, array $options, string $message): void
    {
        // A directory that can't be made, so that nothing starts should a check be missing.
        $options += str_contains($message, 'state_dir') ? [] : ['state_dir' => '/proc/proletarier'];

        $this->expectException(Configuration::class);
        $this->expectExceptionMessage($message);
        \proletarier_run($listeners, $options);
    }

    public function testTypes(): void
    {
        foreach ([[], ['x'], [[], 'x']] as $arguments) {
            try {
                \proletarier_run(...$arguments);
                self::fail('nothing was thrown');
            } catch (\TypeError $error) {
                self::assertStringContainsString('proletarier_run()', $error->getMessage());
            }
        }
    }
}
