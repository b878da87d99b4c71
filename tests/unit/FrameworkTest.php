<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\PhpProcess;

/**
 * The bridge to the framework's EventManager, with each generation and with none, every one in its own process.
 */
final class FrameworkTest extends TestCase
{
    private const LAMINAS = "require 'Laminas/EventManager/autoload.php';";

    private const ZEND = 'require %s;';

    public function testNoFramework(): void
    {
        $process = PhpProcess::code('var_dump(Proletarier\Framework\Framework::create(fn ($name, $listener) => $listener));');

        self::assertSame(["NULL\n", ''], [$process->output, $process->errors]);
    }

    /**
     * @dataProvider generations
     */
    public function testDispatch(string $load): void
    {
        $process = PhpProcess::code($load . <<<'PHP'
            require 'tests/Fixture/framework/dispatch.php';
            PHP);

        self::assertSame('', $process->errors);
        self::assertSame(<<<'TEXT'
            aggregate: a x=original id=id-1 attempt=2 last=true at=2026-11-24 headers={"traceparent":"00-1-2-01"} target=null
            named, first in
            star: a
            last: x=changed
            guards: a@7 a@1 *@1 a@-5
            stops
            guards: a@99
            b: by its name, x=1
            star: b
            guards: b@3 *@1
            star: b
            guards: *@1
            passes through: thrown

            TEXT, $process->output);
    }

    /**
     * @dataProvider generations
     */
    public function testHandlersMayBeTypedForTheOtherGeneration(string $load): void
    {
        $process = PhpProcess::code($load . <<<'PHP'
            require 'tests/Fixture/framework/other_names.php';
            PHP);

        self::assertSame(['Zend Laminas Proletarier aggregate', ''], [$process->output, $process->errors]);
    }

    public static function generations(): iterable
    {
        yield 'Laminas' => [self::LAMINAS];
        yield 'Zend, v2' => [sprintf(self::ZEND, "'tests/Fixture/framework/zend_v2.php'")];
    }
}
