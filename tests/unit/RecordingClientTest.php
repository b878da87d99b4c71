<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\ExpectationFailedException;
use PHPUnit\Framework\TestCase;
use Proletarier\Confirm;
use Proletarier\Exception\MessageTooLarge;
use Proletarier\Testing\RecordingClient;
use Proletarier\Tests\Fixture\Serializable;
use Proletarier\Tests\Fixture\TriggeredEvent;
use Proletarier\Tests\PhpProcess;

/**
 * What the recording client keeps, and what its assertions say.
 */
final class RecordingClientTest extends TestCase
{
    private RecordingClient $client;

    protected function setUp(): void
    {
        $this->client = new RecordingClient();
    }

    public function testKeepsEventsInOrder(): void
    {
        $first = $this->client->trigger('a', ['n' => 1]);
        $second = $this->client->trigger('b', [], ['confirm' => Confirm::Accepted, 'id' => 'mine']);

        self::assertSame(['a', 'b'], array_column($this->client->events(), 'name'));
        self::assertSame([$first, $second], array_column($this->client->events(), 'id'));
        self::assertSame('mine', $second);
        self::assertSame(['confirm' => Confirm::Accepted, 'id' => 'mine'], $this->client->events('b')[0]->options);
        self::assertSame(0, $this->client->flush(1.0));
        self::assertSame(0, $this->client->spooled());
    }

    public function testClears(): void
    {
        $this->client->trigger('a');
        $this->client->clear();

        self::assertSame([], $this->client->events());
    }

    public function testParamsAreWhatAListenerGets(): void
    {
        $at = new \DateTimeImmutable('2026-01-02 03:04:05', new \DateTimeZone('UTC'));
        $this->client->trigger('a', [
            'account' => new Serializable(['id' => 7]),
            'empty' => new \stdClass(),
            'float' => 2.0,
            'text' => 'Zwölf/Äpfel',
            'confirm' => Confirm::None,
            'at' => $at,
        ]);

        [$event] = $this->client->events();
        self::assertSame(
            '{"account":{"id":7},"empty":{},"float":2.0,"text":"Zwölf/Äpfel","confirm":"none",'
            . '"at":{"date":"2026-01-02 03:04:05.000000","timezone_type":3,"timezone":"UTC"}}',
            $event->json
        );
        self::assertSame(['id' => 7], $event->params['account']);
        self::assertSame([], $event->params['empty']);
        self::assertSame(2.0, $event->params['float']);
    }

    public function testParamsBesideAnEventAreMergedOverItsOwn(): void
    {
        $this->client->trigger(new TriggeredEvent('a', ['x' => 1, 'y' => 2]), ['y' => 3]);

        self::assertSame(['x' => 1, 'y' => 3], $this->client->events('a')[0]->params);
    }

    public function testIdsAreUuidsOfVersion7(): void
    {
        $before = (int) (microtime(true) * 1000);
        $id = $this->client->trigger('a');

        self::assertMatchesRegularExpression('/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/', $id);
        self::assertEqualsWithDelta($before, hexdec(substr(str_replace('-', '', $id), 0, 12)), 1000);
    }

    public function testSizeLimitCanBeSet(): void
    {
        $this->expectException(MessageTooLarge::class);
        $this->expectExceptionMessage('params are 12 bytes of JSON: at most 10 are allowed');

        (new RecordingClient(10))->trigger('a', ['a' => 'bcde']);
    }

    public function testAssertionsHold(): void
    {
        $this->client->trigger('a', ['n' => 1]);
        $this->client->trigger('a', ['n' => 2]);

        $this->client->assertTriggered('a');
        $this->client->assertTriggered('a', static fn (array $params) => $params['n'] === 2);
        $this->client->assertNotTriggered('b');
        $this->client->assertTriggeredTimes('a', 2);
    }

    /**
     * @dataProvider failures
     */
    public function testAssertionsFail(\Closure $assert, string $message): void
    {
        $this->client->trigger('a', ['n' => 1]);

        $this->expectException(ExpectationFailedException::class);
        $this->expectExceptionMessage($message);
        $assert($this->client);
    }

    public static function failures(): iterable
    {
        yield 'not triggered' => [
            static fn (RecordingClient $client) => $client->assertTriggered('b'),
            "'b' was not triggered; triggered were 'a' (1)",
        ];
        yield 'other params' => [
            static fn (RecordingClient $client) => $client->assertTriggered('a', static fn (array $params) => $params['n'] === 2),
            "'a' was triggered, but not with the expected params:\n{\"n\":1}",
        ];
        yield 'triggered' => [
            static fn (RecordingClient $client) => $client->assertNotTriggered('a'),
            "'a' was triggered 1 times, not 0",
        ];
        yield 'times' => [
            static fn (RecordingClient $client) => $client->assertTriggeredTimes('a', 2),
            "'a' was triggered 1 times, not 2",
        ];
    }

    public function testFailsWithoutPhpunitToo(): void
    {
        $process = PhpProcess::code(<<<'PHP'
            $client = new Proletarier\Testing\RecordingClient();
            $client->assertNotTriggered('a');
            try {
                $client->assertTriggered('a');
            } catch (AssertionError $error) {
                echo $error->getMessage();
            }
            PHP);

        self::assertSame(["'a' was not triggered; nothing was triggered", ''], [$process->output, $process->errors]);
    }
}
